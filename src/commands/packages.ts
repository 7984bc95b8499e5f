import { ServerConnection, type Contents } from '@jupyterlab/services';

import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';

/** Commands on model packages. */
export function addPackageCommands(
  context: ICommandContext,
  folder: () => string
): void {
  const { app, mlops, trans } = context;
  const { commands } = app;

  commands.addCommand(CommandIDs.modelCard, {
    label: trans.__('Model Card'),
    caption: trans.__('Write what is recorded of the model into a new file'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the model package.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'package');
      const [{ markdown }, { name }] = await Promise.all([
        mlops.client.modelCard(id),
        mlops.client.package(id)
      ]);
      const { contents } = app.serviceManager;
      const file = await commands.execute('docmanager:new-untitled', {
        path: folder(),
        type: 'file',
        ext: '.md'
      });
      await contents.save(file.path, {
        type: 'file',
        format: 'text',
        content: markdown
      });
      const path = await renamed(contents, file, `${name}-card`);
      return commands.execute('docmanager:open', { path });
    }
  });
}

/** Rename a new file to a name that no other has, which stays as it is: an earlier card may have
 * been edited since. Resolves to its path. */
async function renamed(
  contents: Contents.IManager,
  file: Contents.IModel,
  stem: string
): Promise<string> {
  const folder = file.path.slice(0, -file.name.length);
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${stem}.md` : `${stem}-${number}.md`;
    try {
      return (await contents.rename(file.path, folder + name)).path;
    } catch (reason) {
      const taken =
        reason instanceof ServerConnection.ResponseError &&
        reason.response.status === 409;
      if (!taken) {
        throw reason;
      }
    }
  }
}
