import type { TranslationBundle } from '@jupyterlab/translation';

import type { Deletion } from '../api/nouns';
import { formatBytes } from '../format';

/** More names, or reasons, than these are counted only. */
const MOST = 8;

/** What goes and what comes back when this is deleted, a sentence each. */
export function deletionSentences(
  deletion: Deletion,
  trans: TranslationBundle
): string[] {
  const { environments, freed, home = 0, shared, revisions } = deletion;
  if (!environments.length && !revisions.length) {
    return [
      trans.__('There is nothing to delete: every revision is needed.'),
      ...keptSentences(deletion, trans)
    ];
  }
  const sentences = [
    environments.length
      ? trans._n(
          'Its %1 revision and the home folder of its notebooks go with it. Snapshots stay.',
          'Its %1 revisions and the home folder of its notebooks go with it. Snapshots stay.',
          revisions.length
        )
      : trans._n(
          '%1 revision goes: %2.',
          '%1 revisions go: %2.',
          revisions.length,
          named(revisions)
        ),
    home
      ? trans.__(
          '%1 will be free again, %2 of that in the home folder.',
          formatBytes(freed),
          formatBytes(home)
        )
      : trans.__('%1 will be free again.', formatBytes(freed))
  ];
  if (shared) {
    sentences.push(
      trans.__(
        '%1 stay, since other images have the same layers.',
        formatBytes(shared)
      )
    );
  }
  return [...sentences, ...keptSentences(deletion, trans)];
}

/** Why old revisions stay, a sentence each. */
function keptSentences(deletion: Deletion, trans: TranslationBundle): string[] {
  const kept = deletion.kept ?? [];
  const sentences = kept
    .slice(0, MOST)
    .map(({ revision, reason }) =>
      trans.__('%1 stays: %2.', named([revision]), reason)
    );
  if (kept.length > MOST) {
    sentences.push(
      trans._n('%1 more stays.', '%1 more stay.', kept.length - MOST)
    );
  }
  return sentences;
}

/** `churn@3` as people read it elsewhere: `churn r3`. */
function named(revisions: string[]): string {
  const names = revisions.slice(0, MOST).map(key => key.replace('@', ' r'));
  return [...names, ...(revisions.length > MOST ? ['…'] : [])].join(', ');
}
