import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { Deletion } from '../api/nouns';
import { formatBytes } from '../format';
import { deletionSentences } from '../models/deletion';
import type { ICommandContext } from './context';
import { tell } from './notify';

/** Say what would go and what space comes back, ask, delete, say what came back. */
export async function askAndDelete(
  context: ICommandContext,
  options: {
    title: string;
    /** Titles of what went wrong: before, and while it was deleted. */
    cannot: string;
    failed: string;
    look: () => Promise<Deletion>;
    carryOut: () => Promise<Deletion>;
  }
): Promise<void> {
  const { mlops, trans } = context;
  let deletion: Deletion;
  try {
    deletion = await options.look();
  } catch (reason) {
    await tell(options.cannot, reason, trans);
    return;
  }
  const something =
    deletion.environments.length > 0 || deletion.revisions.length > 0;
  const { button } = await showDialog({
    title: options.title,
    body: (
      <div className="jp-MLOpsDeletion">
        {deletionSentences(deletion, trans).map(sentence => (
          <p key={sentence}>{sentence}</p>
        ))}
      </div>
    ),
    buttons: something
      ? [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      : [Dialog.cancelButton({ label: trans.__('Close') })]
  });
  if (!something || !button.accept) {
    return;
  }
  try {
    const { freed } = await options.carryOut();
    await mlops.environments.refresh();
    await mlops.refreshKernelSpecs();
    Notification.success(
      trans.__('Deleted; %1 are free again.', formatBytes(freed)),
      { autoClose: 4000 }
    );
  } catch (reason) {
    await tell(options.failed, reason, trans);
  }
}
