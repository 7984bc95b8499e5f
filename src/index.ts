import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { commandsPlugin } from './plugins/commands';
import { kernelsPlugin } from './plugins/kernels';
import { launcherPlugin } from './plugins/launcher';
import { modelPlugin } from './plugins/model';
import { notebookPlugin } from './plugins/notebook';
import { originPlugin } from './plugins/origin';
import { secretsPlugin } from './plugins/secrets';
import { sidebarPlugin } from './plugins/sidebar';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<any>[] = [
  modelPlugin,
  commandsPlugin,
  secretsPlugin,
  sidebarPlugin,
  notebookPlugin,
  originPlugin,
  kernelsPlugin,
  launcherPlugin
];

export default plugins;
