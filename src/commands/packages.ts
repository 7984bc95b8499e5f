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
      const { markdown } = await mlops.client.modelCard(id);
      const file = await commands.execute('docmanager:new-untitled', {
        path: folder(),
        type: 'file',
        ext: '.md'
      });
      await app.serviceManager.contents.save(file.path, {
        type: 'file',
        format: 'text',
        content: markdown
      });
      return commands.execute('docmanager:open', { path: file.path });
    }
  });
}
