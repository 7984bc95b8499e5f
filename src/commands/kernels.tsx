import {
  Dialog,
  Notification,
  ReactWidget,
  showDialog
} from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { LimitChoice, Limits } from '../api/nouns';
import {
  draftOf,
  ILimitsDraft,
  LimitsForm,
  limitsOf
} from '../components/limits-form';
import type { IEnvironmentPointer } from '../models/notebook-kernel';
import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';
import { tell } from './notify';

const ID = { id: { type: 'string', description: 'The id of the kernel.' } };

/** Commands on kernels in containers, and on what they may use. */
export function addKernelCommands(
  context: ICommandContext,
  notebooks: INotebookTracker | null
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  const sessionOf = (kernel: string) =>
    [...app.serviceManager.sessions.running()].find(
      session => session.kernel?.id === kernel
    );

  /** The panel of a notebook by the id of its kernel; the one in front without an id. */
  const panelOf = (kernel: string): NotebookPanel | null =>
    (kernel
      ? notebooks?.find(
          panel => panel.sessionContext.session?.kernel?.id === kernel
        )
      : notebooks?.currentWidget) ?? null;

  commands.addCommand(CommandIDs.limits, {
    label: trans.__('Limits of the Kernel…'),
    caption: trans.__(
      'Memory, processors and network of this notebook’s kernel'
    ),
    describedBy: describedBy({
      ...ID,
      path: {
        type: 'string',
        description: 'The path of a notebook that has no kernel yet.'
      },
      environment: {
        type: 'string',
        description: 'The name of the environment that it will run in.'
      },
      memory: {
        type: 'number',
        description:
          'Bytes to give it at once, without asking where nothing is installed in its container.'
      }
    }),
    isEnabled: args =>
      !!args.id ||
      !!args.path ||
      (!!notebooks?.currentWidget && Private.isOurs(notebooks.currentWidget)),
    execute: async (args): Promise<boolean> => {
      const id = target(app, args, 'id', 'kernel');
      const panel = args.path ? null : panelOf(id);
      const path =
        String(args.path ?? '') || (panel?.context.path ?? sessionOf(id)?.path);
      if (!path) {
        return false;
      }
      try {
        const environment =
          String(args.environment ?? '') || environmentOf(panel, id);
        const choice = await mlops.client.limits(path, environment);
        const bytes = Number(args.memory ?? 0);
        const kernel = panel?.sessionContext.session?.kernel?.id ?? '';
        if (bytes && panel && !(await installedIn(kernel)).length) {
          await mlops.client.saveLimits(path, environment, {
            ...choice.chosen,
            memory: bytes
          });
          await renew(panel);
          return true;
        }
        // With something to lose in the container, the form says so first.
        const limits = bytes
          ? { ...choice.chosen, memory: bytes }
          : choice.chosen;
        return await ask(panel, path, environment, choice, limits, null);
      } catch (reason) {
        await tell(trans.__('The limits were not changed'), reason, trans);
        return false;
      }
    }
  });

  /** The name of the environment that a notebook runs in, or will. */
  const environmentOf = (panel: NotebookPanel | null, id: string): string => {
    const name =
      panel?.sessionContext.session?.kernel?.name ||
      sessionOf(id)?.kernel?.name ||
      panel?.sessionContext.kernelPreference.name ||
      '';
    const spec = app.serviceManager.kernelspecs.specs?.kernelspecs[name];
    const pointer = spec?.metadata?.['jupyter_mlops'] as
      Partial<IEnvironmentPointer> | undefined;
    return pointer?.snapshot ? '' : (pointer?.environment ?? '');
  };

  /** Whether limits were saved. */
  const ask = async (
    panel: NotebookPanel | null,
    path: string,
    environment: string,
    choice: LimitChoice,
    limits: Limits,
    problem: MlopsError | null
  ): Promise<boolean> => {
    let draft: ILimitsDraft = draftOf(limits);
    const kernel = panel?.sessionContext.session?.kernel?.id ?? '';
    const dialog: Dialog<unknown> = new Dialog<unknown>({
      title: trans.__('Limits of %1', path.split('/').pop() ?? path),
      body: ReactWidget.create(
        <LimitsForm
          choice={choice}
          draft={draft}
          installed={kernel ? await installedIn(kernel) : []}
          running={!!kernel}
          problem={problem}
          trans={trans}
          onChange={next => {
            draft = next;
          }}
          onFreeze={() => {
            dialog.reject();
            void commands.execute(CommandIDs.freeze);
          }}
        />
      ),
      buttons: [
        Dialog.cancelButton(),
        ...(kernel
          ? [
              Dialog.createButton({
                label: trans.__('Save for Later'),
                className: 'jp-mod-reject',
                actions: ['later']
              })
            ]
          : []),
        Dialog.okButton({
          label: kernel
            ? trans.__('Restart in a New Container')
            : trans.__('Save')
        })
      ],
      defaultButton: kernel ? 2 : 1,
      focusNodeSelector: 'input'
    });
    const { button } = await dialog.launch();
    if (!button.accept) {
      return false;
    }
    try {
      const chosen = limitsOf(draft);
      if (draft.memory === draftOf(limits).memory) {
        // What is shown is rounded.
        chosen.memory = limits.memory;
      }
      await mlops.client.saveLimits(path, environment, chosen);
    } catch (reason) {
      // The same form again, with what is wrong: nothing typed is lost.
      const typed = { ...limitsOf(draft), memory: draft.memory || null };
      return ask(
        panel,
        path,
        environment,
        choice,
        typed,
        MlopsError.from(reason)
      );
    }
    if (panel && kernel && !button.actions.includes('later')) {
      await renew(panel);
    } else {
      Notification.success(
        kernel
          ? trans.__('Remembered; in force in the next container.')
          : trans.__('Remembered for this notebook.'),
        { autoClose: 4000 }
      );
    }
    return true;
  };

  /** What a new container would not have: names of packages. */
  const installedIn = async (kernel: string): Promise<string[]> => {
    try {
      const { added, changed } = await mlops.client.drift(kernel);
      return [...(added ?? []), ...(changed ?? [])].map(change => change.name);
    } catch {
      // A kernel that is dead, or is no container, has nothing to lose.
      return [];
    }
  };

  /** A kernel of the same environment in a new container: only that has other limits. */
  const renew = async (panel: NotebookPanel): Promise<void> => {
    const name = panel.sessionContext.session?.kernel?.name;
    if (name) {
      await panel.sessionContext.changeKernel({ name });
      await mlops.kernels.refresh();
    }
  };

  commands.addCommand(CommandIDs.openKernel, {
    label: trans.__('Open Notebook'),
    caption: trans.__('Go to the notebook of this kernel'),
    describedBy: describedBy(ID),
    execute: async args => {
      const session = sessionOf(target(app, args, 'id', 'kernel'));
      if (session) {
        await commands.execute('docmanager:open', { path: session.path });
      }
    }
  });

  commands.addCommand(CommandIDs.shutDownKernel, {
    label: trans.__('Shut Down…'),
    caption: trans.__('End the kernel and its container'),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'kernel');
      const installed = await installedIn(id);
      const { button } = await showDialog({
        title: trans.__('Shut down the kernel?'),
        body: installed.length
          ? trans.__(
              'Its variables are lost, and what was installed in its container: %1.',
              installed.join(', ')
            )
          : trans.__('Its variables are lost.'),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Shut Down') })
        ]
      });
      if (!button.accept) {
        return;
      }
      try {
        await app.serviceManager.kernels.shutdown(id);
      } catch (reason) {
        await tell(trans.__('The kernel was not shut down'), reason, trans);
      }
      await mlops.kernels.refresh();
    }
  });
}

namespace Private {
  /** Whether the notebook runs, or will run, in a container of ours. */
  export function isOurs(panel: NotebookPanel): boolean {
    const context = panel.sessionContext;
    const name =
      context.session?.kernel?.name ?? context.kernelPreference.name ?? '';
    return name.startsWith('mlops-');
  }
}
