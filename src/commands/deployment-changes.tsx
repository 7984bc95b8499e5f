import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';

import { formatWhen } from '../format';
import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';
import { follow } from './notify';

/** Commands that change what a deployment is, while it answers. */
export function addDeploymentChangeCommands(context: ICommandContext): void {
  const { app, mlops, trans } = context;
  const { commands } = app;
  const find = (id: string) => mlops.deployments.items.find(d => d.id === id);

  commands.addCommand(CommandIDs.updateDeployment, {
    label: trans.__('Update…'),
    caption: trans.__(
      'Give the deployment another package; it goes on answering meanwhile'
    ),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = find(id);
      if (!deployment) {
        return;
      }
      const { name } = deployment;
      const others = (await mlops.client.packages()).filter(
        made =>
          made.id !== deployment.package &&
          made.report?.image === made.image &&
          made.report.checks.every(check => check.passed)
      );
      if (!others.length) {
        await showDialog({
          title: trans.__('There is no other package'),
          body: trans.__(
            'Export a model first: %1 can be given any package that passed its check.',
            name
          ),
          buttons: [Dialog.okButton({ label: trans.__('OK') })]
        });
        return;
      }
      const labels = others.map(
        made => `${made.name} · ${formatWhen(made.created, trans)} · ${made.id}`
      );
      const { button, value } = await InputDialog.getItem({
        title: trans.__('Update %1', name),
        label: trans.__('Its new package'),
        items: labels,
        okLabel: trans.__('Update')
      });
      const chosen = others[labels.indexOf(value ?? '')];
      if (!button.accept || !chosen) {
        return;
      }
      await follow({
        mlops,
        trans,
        showLog: operation =>
          void commands.execute(CommandIDs.showOperation, { id: operation }),
        start: () => mlops.client.updateDeployment(id, chosen.id),
        busy: trans.__('Updating %1…', name),
        done: trans.__('%1 has the package %2 now.', name, chosen.name)
      });
      await mlops.deployments.refresh();
    }
  });

  commands.addCommand(CommandIDs.rollBackDeployment, {
    label: trans.__('Roll Back…'),
    caption: trans.__(
      'Give the deployment the package and options it had before its last update'
    ),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = find(id);
      if (!deployment) {
        return;
      }
      const { name } = deployment;
      const { button } = await showDialog({
        title: trans.__('Roll back %1?', name),
        body: trans.__(
          'It gets the package and the options from before its last update, and goes on answering meanwhile.'
        ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.okButton({ label: trans.__('Roll Back') })
        ]
      });
      if (!button.accept) {
        return;
      }
      await follow({
        mlops,
        trans,
        showLog: operation =>
          void commands.execute(CommandIDs.showOperation, { id: operation }),
        start: () => mlops.client.rollBackDeployment(id),
        busy: trans.__('Rolling back %1…', name),
        done: trans.__('%1 is what it was before.', name)
      });
      await mlops.deployments.refresh();
    }
  });

  commands.addCommand(CommandIDs.reviewDeployment, {
    label: args =>
      args.approved === false ? trans.__('Reject…') : trans.__('Approve…'),
    caption: trans.__('Approve or reject a version in a registry of models'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the deployment.' },
      approved: { type: 'boolean', description: 'Whether it is approved.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'deployment');
      const deployment = find(id);
      if (!deployment) {
        return;
      }
      const approved = args.approved !== false;
      const { button, value } = await InputDialog.getText({
        title: approved
          ? trans.__('Approve %1?', deployment.name)
          : trans.__('Reject %1?', deployment.name),
        label: trans.__('Why, for whoever reads it later (optional)'),
        okLabel: approved ? trans.__('Approve') : trans.__('Reject')
      });
      if (!button.accept) {
        return;
      }
      await mlops.client.reviewDeployment(id, approved, value ?? '');
      await mlops.deployments.refresh();
    }
  });
}
