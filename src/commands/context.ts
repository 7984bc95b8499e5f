import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IMlops } from '../tokens';

/** What every command needs. */
export interface ICommandContext {
  app: JupyterFrontEnd;
  mlops: IMlops;
  trans: TranslationBundle;
}

/** The row under the pointer when a context menu was opened: `id` of the noun, else ''. */
export function rowUnderPointer(app: JupyterFrontEnd, noun: string): string {
  const node = app.contextMenuHitTest(
    element => element.dataset?.mlopsNoun === noun
  );
  return node?.dataset.mlopsId ?? '';
}

/** An argument by name, else the row whose context menu is open. */
export function target(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject,
  key: string,
  noun: string
): string {
  return String(args[key] ?? '') || rowUnderPointer(app, noun);
}

/** JSON schema of arguments, for `describedBy`. */
export function describedBy(
  properties: Record<string, { type: string; description: string }> = {}
) {
  return { args: { type: 'object' as const, properties } };
}
