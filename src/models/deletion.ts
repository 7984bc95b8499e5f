import type { TranslationBundle } from '@jupyterlab/translation';

import type { Deletion } from '../api/nouns';
import { formatBytes } from '../format';

/** What goes and what comes back when an environment is deleted, a sentence each. */
export function deletionSentences(
  deletion: Deletion,
  trans: TranslationBundle
): string[] {
  const { freed, home = 0, shared, revisions } = deletion;
  const sentences = [
    trans._n(
      'Its %1 revision and the home folder of its notebooks go with it. Snapshots stay.',
      'Its %1 revisions and the home folder of its notebooks go with it. Snapshots stay.',
      revisions.length
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
  return sentences;
}
