import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification, ReactWidget } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { KernelEnded } from '../components/kernel-ended';
import { moreMemory } from '../models/more-memory';
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
    const bars = new WeakMap<NotebookPanel, ReactWidget>();
    mlops.kernelEvent.connect(async (_: unknown, event: IKernelEvent) => {
      const panel = notebooks?.find(
        other => other.sessionContext.session?.kernel?.id === event.kernel_id
      );
      if (panel) {
        const more = await findMore(mlops, panel, event);
        if (!panel.isDisposed) {
          show(app, bars, panel, event, more, trans);
        }
      }
      if (!panel?.isVisible) {
        const words = [event.message, event.hint].filter(Boolean).join(' ');
        const name = panel?.title.label;
        Notification.emit(
          name ? trans.__('%1: %2', name, words) : words,
          event.reason === 'child_out_of_memory' ? 'warning' : 'error',
          { autoClose: false }
        );
      }
    });
  }
};

/** What more memory a kernel could have; 0 where nobody knows. */
async function findMore(
  mlops: IMlops,
  panel: NotebookPanel,
  event: IKernelEvent
): Promise<number> {
  if (!event.limit) {
    return 0;
  }
  try {
    return moreMemory(
      event.limit,
      await mlops.client.limits(panel.context.path, '')
    );
  } catch {
    // The bar then tells what happened, and offers no figure.
    return 0;
  }
}

function show(
  app: JupyterFrontEnd,
  bars: WeakMap<NotebookPanel, ReactWidget>,
  panel: NotebookPanel,
  event: IKernelEvent,
  more: number,
  trans: TranslationBundle
): void {
  bars.get(panel)?.dispose();
  const close = () => {
    bar.dispose();
    panel.sessionContext.kernelChanged.disconnect(close);
  };
  const bar = ReactWidget.create(
    <KernelEnded
      event={event}
      more={more}
      trans={trans}
      onMore={() =>
        void app.commands.execute(CommandIDs.limits, {
          id: event.kernel_id,
          memory: more
        })
      }
      onLimits={() =>
        void app.commands.execute(CommandIDs.limits, { id: event.kernel_id })
      }
      onClose={close}
    />
  );
  bar.addClass('jp-MLOpsEnded-bar');
  bars.set(panel, bar);
  // A new kernel knows nothing of what happened to the one before.
  panel.sessionContext.kernelChanged.connect(close);
  panel.contentHeader.addWidget(bar);
}
