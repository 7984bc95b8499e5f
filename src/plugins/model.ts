import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { MlopsClient } from '../api/client';
import { Mlops } from '../models/mlops';
import { IMlops } from '../tokens';

/** What the page knows of the server. Another extension may provide its own. */
export const modelPlugin: JupyterFrontEndPlugin<IMlops> = {
  id: 'jupyter-mlops:model',
  description:
    'Provides environments, snapshots and deployments of the server.',
  autoStart: true,
  provides: IMlops,
  activate: (app: JupyterFrontEnd): IMlops =>
    new Mlops({
      client: new MlopsClient(app.serviceManager.serverSettings),
      events: app.serviceManager.events,
      kernels: app.serviceManager.kernels,
      kernelspecs: app.serviceManager.kernelspecs
    })
};
