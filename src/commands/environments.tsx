import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { EnvironmentForm } from '../components/environment-form';
import type { IEnvironmentDraft } from '../models/environment-draft';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext, target } from './context';
import { askAndDelete } from './deleting';
import { CommandIDs } from './ids';
import { tell } from './notify';

const NAME = {
  name: { type: 'string', description: 'The name of the environment.' }
};

/** Commands on environments. */
export function addEnvironmentCommands(
  context: ICommandContext,
  pages: Pages,
  folder: () => string,
  pickFile: () => Promise<string | null>
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  // A build that is cancelled leaves no trace on the server; what was typed is kept here.
  const sent = new Map<
    string,
    { operation: string; draft: IEnvironmentDraft }
  >();
  const typed = (id: string): Partial<IEnvironmentDraft> => {
    const last = sent.get(id);
    const newest = last && mlops.operations.latest(last.draft.name, 'build');
    return newest?.id === last?.operation && newest?.state === 'cancelled'
      ? last!.draft
      : {};
  };

  const openForm = (name: string, existing: boolean) => {
    const environment =
      mlops.environments.items.find(e => e.name === name) ?? null;
    if (existing && !environment) {
      return;
    }
    const id = `jupyter-mlops-form-${environment?.name ?? 'new'}`;
    pages.open({
      id,
      label: environment
        ? trans.__('Edit %1', environment.name)
        : trans.__('New environment'),
      content: (
        <EnvironmentForm
          model={mlops}
          environment={environment}
          begin={{ ...typed(id), ...(name ? { name } : {}) }}
          trans={trans}
          pickFile={pickFile}
          onNewBase={() => void commands.execute(CommandIDs.newBase)}
          onBuilding={(operation, draft) => {
            sent.set(id, { operation, draft });
            pages.close(id);
            void commands.execute(CommandIDs.showOperation, { id: operation });
          }}
        />
      )
    });
  };

  commands.addCommand(CommandIDs.newEnvironment, {
    label: trans.__('New Environment…'),
    caption: trans.__('Describe an environment and build it'),
    describedBy: describedBy(NAME),
    execute: async args => {
      mlops.start();
      await mlops.bases.refresh();
      openForm(String(args.name ?? ''), false);
    }
  });

  commands.addCommand(CommandIDs.editEnvironment, {
    label: trans.__('Edit…'),
    caption: trans.__('Change the environment and build a new revision'),
    describedBy: describedBy(NAME),
    execute: args => openForm(target(app, args, 'name', 'environment'), true)
  });

  commands.addCommand(CommandIDs.addToEnvironment, {
    label: trans.__('Add to Environment'),
    caption: trans.__(
      'Build a new revision with the packages that were installed in a kernel'
    ),
    describedBy: describedBy({
      ...NAME,
      kernel: { type: 'string', description: 'The id of the kernel.' }
    }),
    execute: async args => {
      const name = String(args.name ?? '');
      try {
        const operation = await mlops.client.addFromKernel(
          name,
          String(args.kernel ?? '')
        );
        mlops.operations.track(operation);
        void mlops.environments.refresh();
        await commands.execute(CommandIDs.showOperation, { id: operation.id });
      } catch (reason) {
        await tell(trans.__('Nothing was added to %1', name), reason, trans);
      }
    }
  });

  const newNotebook = async (
    args: ReadonlyPartialJSONObject,
    limited: boolean
  ): Promise<NotebookPanel | null> => {
    const name = target(app, args, 'name', 'environment');
    const kernelName = `mlops-${name}`;
    if (!app.serviceManager.kernelspecs.specs?.kernelspecs[kernelName]) {
      await mlops.refreshKernelSpecs();
    }
    const file = await commands.execute('docmanager:new-untitled', {
      path: folder(),
      type: 'notebook'
    });
    if (limited) {
      // Before its kernel starts: the container is made with them.
      const chosen = await commands.execute(CommandIDs.limits, {
        path: file.path,
        environment: name
      });
      if (!chosen) {
        await app.serviceManager.contents.delete(file.path);
        return null;
      }
    }
    return commands.execute('docmanager:open', {
      path: file.path,
      factory: 'Notebook',
      kernel: { name: kernelName }
    }) as Promise<NotebookPanel | null>;
  };

  commands.addCommand(CommandIDs.newNotebookLimited, {
    label: trans.__('New Notebook With Limits…'),
    caption: trans.__('Say first what its kernel may use'),
    describedBy: describedBy(NAME),
    execute: args => newNotebook(args, true)
  });

  commands.addCommand(CommandIDs.newNotebook, {
    label: trans.__('New Notebook'),
    caption: trans.__('Open a notebook that runs in the environment'),
    describedBy: describedBy(NAME),
    execute: args => newNotebook(args, false)
  });

  commands.addCommand(CommandIDs.deleteEnvironment, {
    label: trans.__('Delete…'),
    caption: trans.__('Delete the environment with all its revisions'),
    describedBy: describedBy(NAME),
    execute: async args => {
      const name = target(app, args, 'name', 'environment');
      if (!mlops.environments.items.some(e => e.name === name)) {
        return;
      }
      await askAndDelete(context, {
        title: trans.__('Delete environment %1?', name),
        cannot: trans.__('%1 cannot be deleted', name),
        failed: trans.__('%1 was not deleted', name),
        look: () => mlops.client.deletion(name),
        carryOut: () => mlops.client.deleteEnvironment(name)
      });
    }
  });
}
