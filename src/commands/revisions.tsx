import * as React from 'react';

import { RevisionPage } from '../components/revision-page';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext, target } from './context';
import { askAndDelete } from './deleting';
import { CommandIDs } from './ids';
import { tell } from './notify';

const NAME = {
  name: { type: 'string', description: 'The name of the environment.' }
};
const REVISION = {
  ...NAME,
  revision: { type: 'number', description: 'The number of the revision.' }
};

/** Commands on the revisions of an environment. */
export function addRevisionCommands(
  context: ICommandContext,
  pages: Pages
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  commands.addCommand(CommandIDs.showRevisions, {
    label: trans.__('Revisions…'),
    caption: trans.__('Show all revisions, go back to one, delete old ones'),
    describedBy: describedBy(NAME),
    execute: args => {
      const name = target(app, args, 'name', 'environment');
      mlops.start();
      pages.open({
        id: `jupyter-mlops-revisions-${name}`,
        label: trans.__('Revisions of %1', name),
        content: (
          <RevisionPage
            name={name}
            model={mlops}
            trans={trans}
            run={(command, more) => void commands.execute(command, more ?? {})}
          />
        )
      });
    }
  });

  commands.addCommand(CommandIDs.activateRevision, {
    label: trans.__('Activate Revision'),
    caption: trans.__('New notebooks use this revision'),
    describedBy: describedBy(REVISION),
    execute: async args => {
      const name = String(args.name ?? '');
      const revision = Number(args.revision);
      try {
        await mlops.client.activate(name, revision);
        await mlops.environments.refresh();
        await mlops.refreshKernelSpecs();
      } catch (reason) {
        await tell(
          trans.__('%1 r%2 is not active', name, revision),
          reason,
          trans
        );
      }
    }
  });

  commands.addCommand(CommandIDs.deleteRevision, {
    label: trans.__('Delete Revision…'),
    caption: trans.__('Delete one revision that nothing needs'),
    describedBy: describedBy(REVISION),
    execute: async args => {
      const name = String(args.name ?? '');
      const revision = Number(args.revision);
      await askAndDelete(context, {
        title: trans.__('Delete %1 r%2?', name, revision),
        cannot: trans.__('%1 r%2 cannot be deleted', name, revision),
        failed: trans.__('%1 r%2 was not deleted', name, revision),
        look: () => mlops.client.revisionDeletion(name, revision),
        carryOut: () => mlops.client.deleteRevision(name, revision)
      });
    }
  });

  commands.addCommand(CommandIDs.deleteOldRevisions, {
    label: trans.__('Delete Old Revisions…'),
    caption: trans.__(
      'Delete revisions that are not active and that nothing needs, of one environment or of all'
    ),
    describedBy: describedBy(NAME),
    execute: async args => {
      const name = target(app, args, 'name', 'environment');
      await askAndDelete(context, {
        title: name
          ? trans.__('Delete old revisions of %1?', name)
          : trans.__('Delete old revisions of all environments?'),
        cannot: trans.__('Old revisions cannot be deleted'),
        failed: trans.__('Not all old revisions were deleted'),
        look: () => mlops.client.oldRevisions(name),
        carryOut: () => mlops.client.deleteOldRevisions(name)
      });
    }
  });
}
