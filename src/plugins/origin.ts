import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import {
  INotebookTracker,
  NotebookActions,
  NotebookPanel
} from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';
import { JSONExt } from '@lumino/coreutils';

import { CommandIDs } from '../commands/ids';
import type { IEnvironmentPointer } from '../models/notebook-kernel';
import { ORIGIN, origin, Standing, standing } from '../models/notebook-origin';

/** Notes in a notebook where its outputs come from, and compares when it is opened. */
export const originPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:origin',
  description: 'Keeps in a notebook which environment its outputs come from.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const { kernelspecs } = app.serviceManager;
    tracker.widgetAdded.connect(async (_, panel) => {
      await Promise.all([panel.context.ready, kernelspecs.ready]);
      const names = () => Object.keys(kernelspecs.specs?.kernelspecs ?? {});
      const saved = panel.model?.getMetadata(ORIGIN);
      // Before there is a kernel: one that is missing keeps the session waiting for the user.
      const before = standing(saved, null, names());
      if (before.kind === 'missing') {
        tell(app, panel, before, trans);
        return;
      }
      await panel.sessionContext.ready;
      const kernel = panel.sessionContext.session?.kernel;
      const running = kernel ? await pointerOf(kernel) : null;
      if (!panel.isDisposed) {
        const found = standing(saved, running, names(), kernel?.name);
        tell(app, panel, found, trans);
      }
    });
    // Only what has run says where outputs come from: opening a notebook changes nothing in it.
    NotebookActions.executed.connect(async (_, { notebook }) => {
      const panel = tracker.find(found => found.content === notebook);
      const kernel = panel?.sessionContext.session?.kernel;
      if (panel && kernel) {
        note(panel, await pointerOf(kernel));
      }
    });
  }
};

/** Null for kernels that are not ours. */
async function pointerOf(
  kernel: Kernel.IKernelConnection
): Promise<IEnvironmentPointer | null> {
  const spec = await kernel.spec;
  return (spec?.metadata?.[ORIGIN] ?? null) as IEnvironmentPointer | null;
}

function note(panel: NotebookPanel, running: IEnvironmentPointer | null): void {
  const model = panel.model;
  if (!model || panel.isDisposed) {
    return;
  }
  const saved = model.getMetadata(ORIGIN) ?? null;
  const wanted = running && origin(running);
  if (wanted && !JSONExt.deepEqual(saved, wanted)) {
    model.setMetadata(ORIGIN, wanted);
  } else if (!wanted && saved !== null) {
    model.deleteMetadata(ORIGIN);
  }
}

function tell(
  app: JupyterFrontEnd,
  panel: NotebookPanel,
  found: Standing,
  trans: TranslationBundle
): void {
  const notebook = panel.title.label;
  if (found.kind === 'missing') {
    const { environment, revision, snapshot } = found.saved;
    Notification.warning(
      snapshot
        ? trans.__(
            '%1 was made in a snapshot of %2, which is not on this machine.',
            notebook,
            environment
          )
        : trans.__(
            '%1 was made in the environment %2, revision %3, which is not on this machine.',
            notebook,
            environment,
            revision
          ),
      {
        autoClose: false,
        actions: [
          {
            label: trans.__('Look in the catalogue'),
            callback: () => app.shell.activateById('jupyter-mlops-sidebar')
          },
          {
            label: trans.__('New environment'),
            callback: () =>
              void app.commands.execute(CommandIDs.newEnvironment, {
                name: environment
              })
          }
        ]
      }
    );
  } else if (found.kind === 'other') {
    const { saved, running, kernel } = found;
    const made = `r${saved.revision}`;
    const runs = `r${running.revision}`;
    Notification.info(
      kernel
        ? trans.__(
            '%1 was made with %2 %3 and now runs in %4.',
            notebook,
            saved.environment,
            made,
            runs
          )
        : trans.__(
            '%1 was made with another %2 %3, which is not on this machine; it runs in %4.',
            notebook,
            saved.environment,
            made,
            runs
          ),
      {
        autoClose: false,
        actions: kernel
          ? [
              {
                label: trans.__('Use %1', made),
                callback: () =>
                  void panel.sessionContext.changeKernel({ name: kernel })
              },
              { label: trans.__('Keep %1', runs), callback: () => undefined }
            ]
          : []
      }
    );
  }
}
