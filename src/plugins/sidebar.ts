import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { IMlops } from '../tokens';
import { MlopsSidebar } from '../widgets/sidebar';

/** The left sidebar. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:sidebar',
  description: 'Adds the sidebar of environments, snapshots and deployments.',
  autoStart: true,
  requires: [IMlops],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    mlops: IMlops,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const panel = new MlopsSidebar({
      model: mlops,
      commands: app.commands,
      trans
    });
    restorer?.add(panel, panel.id);
    app.shell.add(panel, 'left', { rank: 600, type: 'Environments' });
  }
};
