import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { layersIcon } from '../icons';

/** A launcher card for a new environment; the kernels of environments have theirs from Lab. */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:launcher',
  description: 'Adds a launcher card that makes an environment.',
  autoStart: true,
  requires: [ILauncher],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    launcher: ILauncher,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const command = 'mlops:launch-new-environment';
    app.commands.addCommand(command, {
      label: trans.__('New Environment'),
      caption: trans.__('Describe an environment and build it'),
      icon: layersIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.commands.execute(CommandIDs.newEnvironment)
    });
    launcher.add({ command, category: trans.__('Environments'), rank: 1 });
  }
};
