import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import * as React from 'react';

import type { LiveExport } from '../api/nouns';
import { DeploymentConsole } from '../components/deployment-console';
import { ExportWizard } from '../components/export-wizard';
import { exportIcon } from '../icons';
import { ExportModel } from '../models/export';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext, target } from './context';
import { addDeploymentChangeCommands } from './deployment-changes';
import { CommandIDs } from './ids';
import { exportLive } from './live-export';
import { follow } from './notify';

/** Commands on exports and deployments. */
export function addDeploymentCommands(
  context: ICommandContext,
  pages: Pages,
  notebooks: INotebookTracker | null
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;
  const run = (command: string, args: Record<string, any> = {}) =>
    void commands.execute(command, args);

  commands.addCommand(CommandIDs.exportModel, {
    label: trans.__('Export Model…'),
    caption: trans.__(
      'Package, check and deploy a model, on this machine or SageMaker'
    ),
    describedBy: describedBy({
      id: {
        type: 'string',
        description:
          'The id of the snapshot; without it the current notebook is frozen first.'
      }
    }),
    execute: async args => {
      let id = target(app, args, 'id', 'snapshot');
      let live: LiveExport | undefined;
      if (!id) {
        const kernel = notebooks?.currentWidget?.sessionContext.session?.kernel;
        const exported = kernel && (await exportLive(context, kernel.id));
        if (exported === null) {
          return;
        }
        live = exported;
        id = await commands.execute(CommandIDs.freeze);
      }
      if (!id) {
        return;
      }
      const name = mlops.snapshots.items.find(s => s.id === id)?.name ?? id;
      const model = new ExportModel(mlops, id, live);
      pages.open({
        id: `jupyter-mlops-export-${id}`,
        label: trans.__('Export: %1', name),
        icon: exportIcon,
        content: (
          <ExportWizard model={model} mlops={mlops} trans={trans} run={run} />
        ),
        onClose: () => model.dispose()
      });
      await model.load();
    }
  });

  commands.addCommand(CommandIDs.showDeployment, {
    label: trans.__('Invoke…'),
    caption: trans.__('Send a request to the deployment, see its log'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' },
      logs: { type: 'boolean', description: 'Whether to begin with the log.' }
    }),
    execute: args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = mlops.deployments.items.find(d => d.id === id);
      if (!deployment) {
        return;
      }
      pages.open({
        id: `jupyter-mlops-deployment-${id}`,
        label: deployment.name,
        content: (
          <div className="jp-MLOpsPage">
            <DeploymentConsole
              deployment={deployment}
              mlops={mlops}
              logs={!!args.logs}
              trans={trans}
            />
          </div>
        )
      });
    }
  });

  commands.addCommand(CommandIDs.turnDeployment, {
    label: trans.__('Stop or Start'),
    caption: trans.__('Stop the deployment, or start it again'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = mlops.deployments.items.find(d => d.id === id);
      if (!deployment) {
        return;
      }
      const { name, state } = deployment;
      const stops = state === 'running';
      await follow({
        mlops,
        trans,
        showLog: operation => run(CommandIDs.showOperation, { id: operation }),
        start: () => mlops.client.turnDeployment(id, stops ? 'stop' : 'start'),
        busy: stops
          ? trans.__('Stopping %1…', name)
          : trans.__('Starting %1…', name),
        done: stops
          ? trans.__('%1 was stopped.', name)
          : trans.__('%1 answers again.', name)
      });
      await mlops.deployments.refresh();
    }
  });

  addDeploymentChangeCommands(context);

  commands.addCommand(CommandIDs.deleteDeployment, {
    label: trans.__('Delete…'),
    caption: trans.__('Stop the deployment and delete what was created for it'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = mlops.deployments.items.find(d => d.id === id);
      if (!deployment) {
        return;
      }
      const resources = deployment.resources ?? [];
      const goes = resources.filter(resource => !resource.kept);
      const stays = resources.filter(resource => resource.kept);
      const { button } = await showDialog({
        title: trans.__('Delete deployment %1?', deployment.name),
        body: [
          trans.__(
            'It stops answering. These go with it: %1.',
            goes.map(r => `${r.kind} ${r.name}`).join(', ') || '—'
          ),
          stays.length
            ? trans.__(
                'Kept: %1.',
                stays.map(r => `${r.kind} ${r.name}`).join(', ')
              )
            : ''
        ].join(' '),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      });
      if (!button.accept) {
        return;
      }
      await follow({
        mlops,
        trans,
        showLog: operation => run(CommandIDs.showOperation, { id: operation }),
        start: () => mlops.client.deleteDeployment(id),
        busy: trans.__('Deleting %1…', deployment.name),
        done: trans.__('%1 was deleted.', deployment.name)
      });
      await mlops.deployments.refresh();
    }
  });
}
