import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { SecretRequest } from '../api/nouns';
import { SecretsForm } from '../components/secrets-form';
import { IMlops } from '../tokens';

/** Asks for secrets that a kernel waits for while it starts. */
export const secretsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:secrets',
  description: 'Asks for secrets that the server does not have.',
  autoStart: true,
  requires: [IMlops],
  optional: [INotebookTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    mlops: IMlops,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const open = new Map<string, Dialog<unknown>>();
    // Of several windows, the one with the notebook asks; all of them where there is none.
    const isHere = ({ notebook }: SecretRequest) =>
      !notebook?.endsWith('.ipynb') ||
      !!notebooks?.find(panel => panel.context.path === notebook);
    mlops.secrets.changed.connect(() => {
      const waiting = new Set(mlops.secrets.items.map(r => r.kernel_id));
      for (const [id, dialog] of open) {
        // Answered in another window, or given up.
        if (!waiting.has(id)) {
          open.delete(id);
          dialog.reject();
        }
      }
      for (const request of mlops.secrets.items) {
        if (!open.has(request.kernel_id) && isHere(request)) {
          void ask(mlops, open, request, null, trans);
        }
      }
    });
    // A page that was loaded again while a kernel waits.
    void app.restored.then(() => mlops.secrets.refresh());
  }
};

async function ask(
  mlops: IMlops,
  open: Map<string, Dialog<unknown>>,
  request: SecretRequest,
  problem: MlopsError | null,
  trans: TranslationBundle
): Promise<void> {
  const { kernel_id: id, environment, notebook, names } = request;
  const title = notebook?.split('/').pop();
  let values: Record<string, string> = {};
  const dialog = new Dialog<unknown>({
    title: title
      ? trans.__('Secrets for %1', title)
      : trans.__('Secrets for a kernel'),
    body: ReactWidget.create(
      <SecretsForm
        environment={environment}
        names={names}
        problem={problem}
        trans={trans}
        onChange={next => {
          values = next;
        }}
      />
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Do Not Start') }),
      Dialog.okButton({ label: trans.__('Start') })
    ],
    focusNodeSelector: 'input'
  });
  open.set(id, dialog);
  const { button } = await dialog.launch();
  if (!open.has(id)) {
    return;
  }
  try {
    if (button.accept) {
      await mlops.client.giveSecrets(id, values);
    } else {
      await mlops.client.refuseSecrets(id);
    }
    open.delete(id);
  } catch (reason) {
    const error = MlopsError.from(reason);
    open.delete(id);
    // What waits no more needs no answer; anything else is asked again.
    if (error.code !== 'not_found') {
      await ask(mlops, open, request, error, trans);
    }
  }
}
