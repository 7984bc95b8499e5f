import * as React from 'react';

import { Activity } from '../components/activity';
import { OperationView, titleOf } from '../components/operation-view';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';
import { tell } from './notify';

const ID = { id: { type: 'string', description: 'The id of the operation.' } };

/** Commands on operations, and on the panel as a whole. */
export function addOperationCommands(
  context: ICommandContext,
  pages: Pages
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  commands.addCommand(CommandIDs.showOperation, {
    label: trans.__('Show Log'),
    caption: trans.__('Show the steps and the log'),
    describedBy: describedBy(ID),
    execute: async args => {
      const id = target(app, args, 'id', 'operation');
      const operation =
        mlops.operations.find(id) ?? (await mlops.client.operation(id));
      pages.open({
        id: `jupyter-mlops-operation-${id}`,
        label: titleOf(operation, trans),
        content: (
          <div className="jp-MLOpsPage">
            <OperationView
              id={id}
              model={mlops.operations}
              client={mlops.client}
              trans={trans}
            />
          </div>
        )
      });
    }
  });

  commands.addCommand(CommandIDs.cancelOperation, {
    label: trans.__('Cancel'),
    caption: trans.__('Stop the work and take away what it made'),
    describedBy: describedBy(ID),
    execute: async args => {
      try {
        await mlops.operations.cancel(target(app, args, 'id', 'operation'));
      } catch (reason) {
        await tell(trans.__('It could not be cancelled'), reason, trans);
      }
    }
  });

  commands.addCommand(CommandIDs.showActivity, {
    label: trans.__('Show Activity'),
    caption: trans.__('Show what runs and what was done'),
    describedBy: describedBy(),
    execute: () => {
      mlops.start();
      pages.open({
        id: 'jupyter-mlops-activity',
        label: trans.__('Activity'),
        content: (
          <Activity
            model={mlops.operations}
            trans={trans}
            run={(command, args) => void commands.execute(command, args ?? {})}
          />
        )
      });
    }
  });

  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Environments'),
    caption: trans.__('Look at everything again'),
    describedBy: describedBy(),
    execute: () => mlops.refresh()
  });
}
