import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IEnvironmentDraft, lines } from '../models/environment-draft';

/** What will be built, in a few lines. */
export function EnvironmentSummary(props: {
  draft: IEnvironmentDraft;
  trans: TranslationBundle;
}): React.ReactElement {
  const { draft, trans } = props;
  const r = lines(draft.r).length;
  const gpus = Number(draft.gpus) || 0;
  return (
    <>
      <h3>{draft.name || trans.__('Unnamed')}</h3>
      <p>{draft.description}</p>
      <ul>
        <li>{trans.__('Base: %1', draft.base || '—')}</li>
        <li>
          {trans._n(
            '%1 Python package asked for',
            '%1 Python packages asked for',
            lines(draft.python).length
          )}
        </li>
        <li>
          {trans._n(
            '%1 system package',
            '%1 system packages',
            lines(draft.apt).length
          )}
        </li>
        {r > 0 && <li>{trans._n('%1 R package', '%1 R packages', r)}</li>}
        {draft.date && <li>{trans.__('Packages as of %1', draft.date)}</li>}
        <li>
          {draft.network === 'none'
            ? trans.__('No network in notebooks')
            : trans.__('Notebooks may reach out')}
        </li>
        {gpus > 0 && (
          <li>
            {trans._n(
              '%1 graphics processor for each notebook',
              '%1 graphics processors for each notebook',
              gpus
            )}
          </li>
        )}
      </ul>
    </>
  );
}
