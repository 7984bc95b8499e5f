import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { MlopsError } from '../api/error';
import type { Operation } from '../api/nouns';
import type { IMlops } from '../tokens';

type Action = Notification.IAction;

/**
 * Start something long and tell how it ends.
 *
 * Resolves with the operation, or null when it failed: the user has been told then.
 */
export async function follow(options: {
  mlops: IMlops;
  trans: TranslationBundle;
  start: () => Promise<Operation>;
  busy: string;
  done: string | ((operation: Operation) => string);
  actions?: (operation: Operation) => Action[];
  /** Show the log of a failed operation. */
  showLog: (id: string) => void;
}): Promise<Operation | null> {
  const { mlops, trans, start, busy, done, actions, showLog } = options;
  const id = Notification.emit(busy, 'in-progress', { autoClose: false });
  let started: Operation | null = null;
  try {
    const operation = await mlops.operations.follow(
      start().then(operation => (started = operation))
    );
    Notification.update({
      id,
      message: typeof done === 'string' ? done : done(operation),
      type: 'success',
      autoClose: 8000,
      actions: actions?.(operation) ?? []
    });
    return operation;
  } catch (reason) {
    const error = MlopsError.from(reason);
    const operation = started as Operation | null;
    Notification.update({
      id,
      message: [error.message, error.hint].filter(Boolean).join(' '),
      type: error.code === 'cancelled' ? 'info' : 'error',
      autoClose: error.code === 'cancelled' ? 4000 : false,
      actions: operation
        ? [
            {
              label: trans.__('Show log'),
              callback: () => showLog(operation.id)
            }
          ]
        : []
    });
    return null;
  }
}

/** Tell of something that failed at once. */
export async function tell(
  title: string,
  reason: unknown,
  trans: TranslationBundle
): Promise<void> {
  const error = MlopsError.from(reason);
  await showDialog({
    title,
    body: [error.message, error.hint].filter(Boolean).join(' '),
    buttons: [Dialog.okButton({ label: trans.__('OK') })]
  });
}
