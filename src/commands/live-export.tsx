import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { LiveExport, LiveModels } from '../api/nouns';
import { LiveModelForm, likeliest } from '../components/live-model-form';
import type { ICommandContext } from './context';
import { tell } from './notify';

const FILES = 'files';

/**
 * Let the user choose a model among a kernel's variables, and write it into the project.
 *
 * Resolves with undefined for who wants to choose among files instead, null for who cancels.
 */
export async function exportLive(
  context: ICommandContext,
  kernel: string
): Promise<LiveExport | null | undefined> {
  const { mlops, trans } = context;
  let found: LiveModels;
  try {
    found = await mlops.client.liveModels(kernel);
  } catch (reason) {
    await tell(
      trans.__('The models of this notebook are not known'),
      reason,
      trans
    );
    return undefined;
  }
  let choice = likeliest(found);
  const { button } = await showDialog({
    title: trans.__('Export a model of this notebook'),
    body: ReactWidget.create(
      <LiveModelForm
        found={found}
        trans={trans}
        onChange={next => {
          choice = next;
        }}
      />
    ),
    buttons: [
      Dialog.cancelButton(),
      Dialog.createButton({
        label: trans.__('Files instead'),
        accept: false,
        actions: [FILES]
      }),
      ...(found.models.length
        ? [Dialog.okButton({ label: trans.__('Export') })]
        : [])
    ]
  });
  if (button.actions.includes(FILES)) {
    return undefined;
  }
  if (!button.accept) {
    return null;
  }
  try {
    return await mlops.client.exportLive(kernel, choice);
  } catch (reason) {
    await tell(trans.__('%1 is not exported', choice.model), reason, trans);
    return null;
  }
}
