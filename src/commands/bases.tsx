import * as React from 'react';

import { BaseForm } from '../components/base-form';
import type { Pages } from '../widgets/pages';
import { describedBy, ICommandContext } from './context';
import { CommandIDs } from './ids';

const PAGE = 'jupyter-mlops-base';

/** Commands on base images. */
export function addBaseCommands(
  context: ICommandContext,
  pages: Pages,
  pickFile: () => Promise<string | null>
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  commands.addCommand(CommandIDs.newBase, {
    label: trans.__('New Base From a Dockerfile…'),
    caption: trans.__('Build an image that environments can start from'),
    describedBy: describedBy(),
    execute: () => {
      mlops.start();
      pages.open({
        id: PAGE,
        label: trans.__('New base image'),
        content: (
          <BaseForm
            model={mlops}
            trans={trans}
            pickFile={pickFile}
            onBuilding={id => {
              pages.close(PAGE);
              void commands.execute(CommandIDs.showOperation, { id });
            }}
          />
        )
      });
    }
  });
}
