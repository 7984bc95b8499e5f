import {
  Dialog,
  Notification,
  ReactWidget,
  showDialog
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents, ServiceManager } from '@jupyterlab/services';
import * as React from 'react';

import { FreezeForm, IFreezeAnswer } from '../components/freeze-form';
import { ReportView } from '../components/report-view';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';
import { follow, tell } from './notify';

const ID = { id: { type: 'string', description: 'The id of the snapshot.' } };

/** Commands on snapshots. */
export function addSnapshotCommands(
  context: ICommandContext,
  pages: Pages,
  notebooks: INotebookTracker | null,
  folder: () => string
): void {
  const { app, mlops, trans } = context;
  const freeFolder = (name: string) =>
    Private.freeFolder(app.serviceManager.contents, folder(), name);
  const { commands } = app;
  const showLog = (id: string) =>
    void commands.execute(CommandIDs.showOperation, { id });
  const find = (id: string) => mlops.snapshots.items.find(s => s.id === id);

  commands.addCommand(CommandIDs.freeze, {
    label: trans.__('Freeze Notebook…'),
    caption: trans.__(
      'Keep environment and files of this notebook as they are'
    ),
    describedBy: describedBy(),
    isEnabled: () =>
      !!notebooks?.currentWidget?.sessionContext.session?.kernel?.name.startsWith(
        'mlops-'
      ),
    execute: async () => {
      const panel = notebooks?.currentWidget;
      const kernel = panel?.sessionContext.session?.kernel?.id;
      if (!panel || !kernel) {
        return null;
      }
      // The files of the snapshot are those on disk.
      await panel.context.save();
      let answer: IFreezeAnswer = {
        name: Private.nameFor(panel.context.path, new Date()),
        note: '',
        exclude: []
      };
      try {
        const preview = await mlops.client.preview(kernel);
        const { button } = await showDialog({
          title: trans.__('Freeze'),
          body: ReactWidget.create(
            <FreezeForm
              preview={preview}
              answer={answer}
              trans={trans}
              onChange={next => {
                answer = next;
              }}
            />
          ),
          buttons: [
            Dialog.cancelButton(),
            Dialog.okButton({ label: trans.__('Freeze') })
          ],
          focusNodeSelector: 'input'
        });
        if (!button.accept) {
          return null;
        }
      } catch (reason) {
        await tell(trans.__('This notebook cannot be frozen'), reason, trans);
        return null;
      }
      const done = await follow({
        mlops,
        trans,
        showLog,
        start: () => mlops.client.freeze({ kernel, ...answer }),
        busy: trans.__('Freezing %1…', answer.name),
        done: trans.__('%1 is frozen.', answer.name),
        actions: operation => {
          const id = String(operation.result?.snapshot ?? '');
          return [
            {
              label: trans.__('Publish'),
              callback: () => void commands.execute(CommandIDs.publish, { id })
            },
            {
              label: trans.__('Export'),
              callback: () =>
                void commands.execute(CommandIDs.exportModel, { id })
            }
          ];
        }
      });
      await mlops.snapshots.refresh();
      return done ? String(done.result?.snapshot ?? '') : null;
    }
  });

  commands.addCommand(CommandIDs.openSnapshot, {
    label: trans.__('Open'),
    caption: trans.__('Put the files into a new folder and open a notebook'),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'snapshot');
      const snapshot = find(id);
      if (!snapshot) {
        return;
      }
      await open(snapshot.name, directory =>
        mlops.client.openSnapshot(id, directory)
      );
    }
  });

  commands.addCommand(CommandIDs.openFromCatalogue, {
    label: trans.__('Open'),
    caption: trans.__('Get the snapshot and open its notebook'),
    describedBy: describedBy({
      ...ID,
      project: { type: 'string', description: 'Registry, team and name.' },
      name: { type: 'string', description: 'The name of the snapshot.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'entry');
      const entry = mlops.catalogue.items.find(other => other.id === id);
      if (!entry) {
        return;
      }
      await open(entry.name, directory =>
        mlops.client.openFromCatalogue(entry.project, id, directory)
      );
    }
  });

  const open = async (
    name: string,
    start: (directory: string) => ReturnType<typeof mlops.client.openSnapshot>
  ) => {
    const done = await follow({
      mlops,
      trans,
      showLog,
      start: async () => start(await freeFolder(name)),
      busy: trans.__('Opening %1…', name),
      done: operation =>
        trans.__(
          '%1 is in %2.',
          name,
          String(operation.result?.directory ?? '')
        )
    });
    if (!done) {
      return;
    }
    await mlops.refreshKernelSpecs();
    const directory = String(done.result?.directory ?? '');
    const list = (done.result?.notebooks ?? []) as string[];
    const kernel = String(done.result?.kernel_name ?? '');
    // A notebook names its own kernel, and Lab would start that one, or ask.
    for (const path of list) {
      await Private.setKernel(
        app.serviceManager,
        `${directory}/${path}`,
        kernel
      );
    }
    if (list.length) {
      await commands.execute('docmanager:open', {
        path: `${directory}/${list[0]}`,
        factory: 'Notebook',
        kernel: { name: kernel }
      });
    } else {
      await commands.execute('filebrowser:go-to-path', { path: directory });
    }
  };

  commands.addCommand(CommandIDs.reproduce, {
    label: trans.__('Reproduce'),
    caption: trans.__(
      'Run the notebooks again in the very same image and compare'
    ),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'snapshot');
      const snapshot = find(id);
      if (!snapshot) {
        return;
      }
      const done = await follow({
        mlops,
        trans,
        showLog,
        start: async () =>
          mlops.client.reproduce(
            id,
            await freeFolder(`${snapshot.name}-reproduced`),
            false
          ),
        busy: trans.__('Reproducing %1…', snapshot.name),
        done: trans.__('%1 was run again.', snapshot.name)
      });
      if (done) {
        await commands.execute(CommandIDs.showReport, { id });
      }
    }
  });

  commands.addCommand(CommandIDs.showReport, {
    label: trans.__('Show Report'),
    caption: trans.__('Show the last report of a reproduction'),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'snapshot');
      try {
        const report = await mlops.client.report(id);
        const name = find(id)?.name ?? id;
        const page = `jupyter-mlops-report-${id}-${report.created}`;
        pages.open({
          id: page,
          label: trans.__('Report: %1', name),
          content: <ReportView report={report} trans={trans} />
        });
      } catch (reason) {
        await tell(trans.__('There is no report'), reason, trans);
      }
    }
  });

  commands.addCommand(CommandIDs.deleteSnapshot, {
    label: trans.__('Delete…'),
    caption: trans.__('Delete the snapshot from this machine'),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'snapshot');
      const snapshot = find(id);
      if (!snapshot) {
        return;
      }
      const { button } = await showDialog({
        title: trans.__('Delete snapshot %1?', snapshot.name),
        body: snapshot.publications?.length
          ? trans.__(
              'Its image and files go from this machine. What was published stays.'
            )
          : trans.__(
              'Its image and files go for good: it was never published.'
            ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      });
      if (!button.accept) {
        return;
      }
      try {
        await mlops.client.deleteSnapshot(id);
        await mlops.snapshots.refresh();
        await mlops.refreshKernelSpecs();
        Notification.success(trans.__('%1 was deleted.', snapshot.name), {
          autoClose: 4000
        });
      } catch (reason) {
        await tell(
          trans.__('%1 was not deleted', snapshot.name),
          reason,
          trans
        );
      }
    }
  });
}

namespace Private {
  /** Let a notebook open with this kernel. */
  export async function setKernel(
    services: ServiceManager.IManager,
    path: string,
    name: string
  ): Promise<void> {
    const spec = services.kernelspecs.specs?.kernelspecs[name];
    const file = await services.contents.get(path, { content: true });
    if (!spec || file.type !== 'notebook') {
      return;
    }
    file.content.metadata.kernelspec = {
      name,
      display_name: spec.display_name,
      language: spec.language
    };
    await services.contents.save(path, file);
  }

  /** A folder below `parent` that does not exist yet: `name`, `name-2`, … */
  export async function freeFolder(
    contents: Contents.IManager,
    parent: string,
    name: string
  ): Promise<string> {
    const listing = await contents.get(parent, { content: true });
    const taken = new Set(
      (listing.content as Contents.IModel[]).map(item => item.name)
    );
    let free = name;
    for (let number = 2; taken.has(free); number++) {
      free = `${name}-${number}`;
    }
    return PathExt.join(parent, free);
  }

  /** A name to begin with: `train-1122-1031`. */
  export function nameFor(path: string, now: Date): string {
    const stem = (path.split('/').pop() ?? '').replace(/\.ipynb$/, '');
    const clean = stem
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 28);
    const pad = (n: number) => String(n).padStart(2, '0');
    const when = `${pad(now.getMonth() + 1)}${pad(now.getDate())}-${pad(now.getHours())}${pad(now.getMinutes())}`;
    return `${clean || 'snapshot'}-${when}`;
  }
}
