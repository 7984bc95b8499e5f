import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { IKernelEvent, IMlops } from '../tokens';

/** Tell why a kernel ended: Lab itself only says that it died. */
export const kernelsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:kernels',
  description: 'Tells why a kernel in a container ended.',
  autoStart: true,
  requires: [IMlops],
  optional: [INotebookTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    mlops: IMlops,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    mlops.kernelEvent.connect((_: unknown, event: IKernelEvent) => {
      const panel = notebooks?.find(
        other => other.sessionContext.session?.kernel?.id === event.kernel_id
      );
      const name = panel?.title.label;
      const message = [event.message, event.hint].filter(Boolean).join(' ');
      Notification.emit(
        name ? trans.__('%1: %2', name, message) : message,
        event.reason === 'child_out_of_memory' ? 'warning' : 'error',
        { autoClose: false }
      );
    });
  }
};
