import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { Revision } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import { formatBytes, formatWhen } from '../format';
import type { IMlops } from '../tokens';
import { List, useChanges } from './list';
import { Row } from './row';

type Run = (command: string, args?: Record<string, any>) => void;

/** All revisions of an environment, the newest first. */
export function RevisionPage(props: {
  name: string;
  model: IMlops;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { name, model, trans, run } = props;
  useChanges(model.environments);
  const [revisions, setRevisions] = React.useState<Revision[] | null>(null);
  const [error, setError] = React.useState<MlopsError | null>(null);
  // Each answer with environments is a new list: what was built or deleted is seen at once.
  const { items } = model.environments;
  React.useEffect(() => {
    let current = true;
    model.client.revisions(name).then(
      found => {
        if (current) {
          setRevisions([...found].sort((a, b) => b.number - a.number));
          setError(null);
        }
      },
      reason => {
        if (current) {
          setRevisions([]);
          setError(MlopsError.from(reason));
        }
      }
    );
    return () => {
      current = false;
    };
  }, [model, name, items]);
  const active = items.find(other => other.name === name)?.active ?? 0;
  return (
    <div className="jp-MLOpsPage jp-MLOpsRevisions">
      <div className="jp-MLOpsOperation-head">
        <h2>{trans.__('Revisions of %1', name)}</h2>
        <Button
          className="jp-mod-styled"
          disabled={(revisions ?? []).length < 2}
          onClick={() => run(CommandIDs.deleteOldRevisions, { name })}
        >
          {trans.__('Delete old revisions…')}
        </Button>
      </div>
      <List
        collection={{ loaded: !!revisions, items: revisions ?? [], error }}
        label={trans.__('Revisions')}
        trans={trans}
        empty={trans.__('It has no revision yet.')}
      >
        {(revisions ?? []).map(revision => (
          <RevisionRow
            key={revision.number}
            revision={revision}
            active={revision.number === active}
            trans={trans}
            run={run}
          />
        ))}
      </List>
    </div>
  );
}

function RevisionRow(props: {
  revision: Revision;
  active: boolean;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { revision, active, trans, run } = props;
  const { number } = revision;
  const args = { name: revision.environment, revision: number };
  const failed = revision.smoke && !revision.smoke.passed;
  const state = active
    ? trans.__('Active')
    : failed
      ? trans.__('Its smoke notebook failed')
      : trans.__('Not active');
  const actions = active
    ? []
    : [
        {
          label: trans.__('Activate'),
          onClick: () => run(CommandIDs.activateRevision, args)
        },
        {
          label: trans.__('Delete'),
          onClick: () => run(CommandIDs.deleteRevision, args)
        }
      ];
  return (
    <Row
      tone={active ? 'good' : failed ? 'bad' : 'idle'}
      state={state}
      title={`r${number}`}
      meta={[
        ...(active || failed ? [state] : []),
        formatBytes(revision.size ?? 0),
        formatWhen(revision.created, trans)
      ].join(' · ')}
      detail={packagesOf(revision, trans)}
      actions={actions}
      data={{ noun: 'revision', id: `${revision.environment}@${number}` }}
    />
  );
}

/** `Python 3.11.2, 40 packages · R 4.2.2, 31 packages`. */
export function packagesOf(
  revision: Revision,
  trans: TranslationBundle
): string {
  const { python, packages = 0, r, r_packages = 0 } = revision;
  const count = (n: number) => trans._n('%1 package', '%1 packages', n);
  const parts = [];
  if (python || packages) {
    parts.push(`Python ${python}, ${count(packages)}`);
  }
  if (r || r_packages) {
    // Those that were built before they were counted have none.
    parts.push(`R ${r}${r_packages ? `, ${count(r_packages)}` : ''}`.trim());
  }
  return parts.join(' · ');
}
