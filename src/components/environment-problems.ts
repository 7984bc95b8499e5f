import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  DraftErrors,
  IEnvironmentDraft
} from '../models/environment-draft';

/** What is wrong in words, for each field; `errors` has the text that is wrong. */
export function explain(
  errors: DraftErrors,
  trans: TranslationBundle
): DraftErrors {
  const words: DraftErrors = {
    name: trans.__(
      'Use 1 to 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.'
    ),
    base: trans.__('Choose a base image, or make one first.'),
    python: trans.__(
      'Write one package per line, such as pandas>=2, and not “%1”.',
      errors.python
    ),
    apt: trans.__(
      'Write one Debian package per line, such as libgomp1, and not “%1”.',
      errors.apt
    ),
    r: trans.__(
      'Write one package per line, such as data.table or dplyr==1.1.4, and not “%1”.',
      errors.r
    ),
    variables: trans.__(
      'Write each line as NAME=value, and not “%1”.',
      errors.variables
    ),
    // Not repeated: it may be a value.
    secrets: trans.__('Write names only, without values.'),
    preload: trans.__(
      'Write one module per line, as import takes it, such as sklearn.linear_model, and not “%1”.',
      errors.preload
    ),
    smoke: trans.__(
      'Write the path of a notebook as the file browser has it, such as tests/smoke.ipynb.'
    ),
    memory: trans.__('Write a size such as 4 GiB or 512 MB.'),
    cpus: trans.__('Write a number of cores, such as 2.'),
    pids: trans.__('Write a whole number, such as 4096.'),
    gpus: trans.__('Write a whole number, such as 1.')
  };
  const keys = Object.keys(errors) as (keyof IEnvironmentDraft)[];
  return Object.fromEntries(keys.map(key => [key, words[key]]));
}
