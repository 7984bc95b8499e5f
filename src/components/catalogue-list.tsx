import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { formatWhen } from '../format';
import type { IMlops } from '../tokens';
import { List, useChanges } from './list';
import { OperationProgress } from './progress';
import { Row } from './row';

/** The team's snapshots, as the registry has them. */
export function CatalogueList(props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, filter, trans, run } = props;
  const { catalogue } = model;
  useChanges(catalogue, model.operations);
  if (!catalogue.project) {
    return (
      <div className="jp-MLOpsEmpty">
        <p>
          {trans.__(
            'A project in a container registry is where a team keeps its snapshots.'
          )}
        </p>
        <Button
          className="jp-mod-styled"
          onClick={() => run(CommandIDs.chooseProject)}
        >
          {trans.__('Choose a project')}
        </Button>
      </div>
    );
  }
  const shown = catalogue.items.filter(entry =>
    `${entry.name} ${entry.environment} ${entry.owner}`
      .toLowerCase()
      .includes(filter)
  );
  return (
    <>
      <div className="jp-MLOpsProject">
        <span className="jp-MLOpsProject-name" title={catalogue.project}>
          {catalogue.project}
        </span>
        <Button
          small
          minimal
          onClick={() => run(CommandIDs.chooseProject)}
          aria-label={trans.__('Choose another project')}
        >
          {trans.__('Change')}
        </Button>
      </div>
      <List
        collection={{
          error: catalogue.error,
          loaded: catalogue.loaded,
          items: shown
        }}
        label={trans.__('Team catalogue')}
        trans={trans}
        empty={trans.__('Nothing is published in this project yet.')}
      >
        {shown.map(entry => {
          const { id, project } = entry;
          const work = model.operations.running.find(
            operation => operation.kind === 'open' && operation.subject === id
          );
          const added = entry.packages_added ?? 0;
          return (
            <Row
              key={entry.digest}
              tone={work ? 'busy' : entry.local ? 'good' : 'idle'}
              state={
                entry.local
                  ? trans.__('Also on this machine')
                  : trans.__('In the registry')
              }
              title={entry.name}
              meta={`${entry.owner} · ${formatWhen(entry.created, trans)}`}
              detail={[
                entry.environment +
                  (added
                    ? trans._n(' + %1 package', ' + %1 packages', added)
                    : ''),
                trans._n('%1 file', '%1 files', entry.files ?? 0),
                entry.note
              ]
                .filter(Boolean)
                .join(' · ')}
              actions={[
                {
                  label: trans.__('Open'),
                  disabled: !!work,
                  onClick: () =>
                    run(CommandIDs.openFromCatalogue, {
                      project,
                      id,
                      name: entry.name
                    })
                }
              ]}
              data={{ noun: 'entry', id }}
            >
              {work && <OperationProgress operation={work} trans={trans} />}
            </Row>
          );
        })}
      </List>
    </>
  );
}
