import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog, IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addBaseCommands } from '../commands/bases';
import { addDeploymentCommands } from '../commands/deployments';
import { addEnvironmentCommands } from '../commands/environments';
import { addPackageCommands } from '../commands/packages';
import { CommandIDs } from '../commands/ids';
import { addKernelCommands } from '../commands/kernels';
import { addOperationCommands } from '../commands/operations';
import { addRevisionCommands } from '../commands/revisions';
import { addSharingCommands } from '../commands/sharing';
import { addSnapshotCommands } from '../commands/snapshots';
import { IMlops } from '../tokens';
import { Pages } from '../widgets/pages';

/** Everything that can be done, as commands; menus and palette show them. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:commands',
  description: 'Adds the commands on environments, snapshots and deployments.',
  autoStart: true,
  requires: [IMlops],
  optional: [
    ITranslator,
    INotebookTracker,
    IDefaultFileBrowser,
    ICommandPalette,
    IDocumentManager
  ],
  activate: (
    app: JupyterFrontEnd,
    mlops: IMlops,
    translator: ITranslator | null,
    notebooks: INotebookTracker | null,
    browser: IDefaultFileBrowser | null,
    palette: ICommandPalette | null,
    documents: IDocumentManager | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const context = { app, mlops, trans };
    const pages = new Pages(app);
    addOperationCommands(context, pages);
    const pick = async (
      title: string,
      names: RegExp
    ): Promise<string | null> => {
      if (!documents) {
        return null;
      }
      const { value } = await FileDialog.getOpenFiles({
        manager: documents,
        title,
        defaultPath: folder(),
        filter: model =>
          model.type === 'directory' || names.test(model.name) ? {} : null,
        translator: translator ?? nullTranslator
      });
      return value?.[0]?.path ?? null;
    };
    const pickPackages = () =>
      pick(
        trans.__('Import packages from a file'),
        /\.(txt|in|toml|ya?ml)$|^renv\.lock$/
      );
    const pickDockerfile = () =>
      pick(
        trans.__('Choose a Dockerfile'),
        /^(Dockerfile|Containerfile)|\.(Dockerfile|Containerfile)$/i
      );
    const folder = () => browser?.model.path ?? '';
    addEnvironmentCommands(context, pages, folder, pickPackages);
    addRevisionCommands(context, pages);
    addBaseCommands(context, pages, pickDockerfile);
    addSnapshotCommands(context, pages, notebooks, folder);
    addKernelCommands(context, notebooks);
    addSharingCommands(context);
    addDeploymentCommands(context, pages, notebooks);
    addPackageCommands(context, folder);
    notebooks?.currentChanged.connect(() => {
      app.commands.notifyCommandChanged(CommandIDs.freeze);
      app.commands.notifyCommandChanged(CommandIDs.limits);
    });
    const category = trans.__('Environments');
    for (const command of [
      CommandIDs.newEnvironment,
      CommandIDs.newBase,
      CommandIDs.deleteOldRevisions,
      CommandIDs.limits,
      CommandIDs.freeze,
      CommandIDs.exportModel,
      CommandIDs.chooseProject,
      CommandIDs.showActivity,
      CommandIDs.refresh
    ]) {
      palette?.addItem({ command, category });
    }
  }
};
