import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Snapshot } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import { formatWhen } from '../format';
import { hasEnded } from '../models/operations';
import type { IMlops } from '../tokens';
import { List, useChanges } from './list';
import { OperationProgress } from './progress';
import { Row } from './row';

/** The snapshots of the sidebar. */
export function SnapshotList(props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, filter, trans, run } = props;
  useChanges(model.snapshots, model.operations);
  const shown = model.snapshots.items.filter(snapshot =>
    `${snapshot.name} ${snapshot.environment} ${snapshot.id}`
      .toLowerCase()
      .includes(filter)
  );
  return (
    <List
      collection={{
        error: model.snapshots.error,
        loaded: model.snapshots.loaded,
        items: shown
      }}
      label={trans.__('Snapshots')}
      trans={trans}
      empty={
        filter
          ? trans.__('No snapshot matches.')
          : trans.__(
              'Freeze a notebook to keep its environment and files as they are now.'
            )
      }
    >
      {shown.map(snapshot => {
        const { id, name } = snapshot;
        const work = model.operations.running.find(
          operation =>
            !hasEnded(operation) && [id, name].includes(operation.subject)
        );
        const action = (label: string, command: string) => ({
          label,
          onClick: () => run(command, { id })
        });
        return (
          <Row
            key={id}
            tone={work ? 'busy' : 'good'}
            state={
              snapshot.publications?.length
                ? trans.__('Published')
                : trans.__('On this machine')
            }
            title={name}
            meta={formatWhen(snapshot.created, trans)}
            detail={describe(snapshot, trans)}
            actions={[
              action(trans.__('Open'), CommandIDs.openSnapshot),
              action(trans.__('Publish'), CommandIDs.publish),
              action(trans.__('Export'), CommandIDs.exportModel),
              action(trans.__('Reproduce'), CommandIDs.reproduce),
              action(trans.__('Delete'), CommandIDs.deleteSnapshot)
            ]}
            data={{ noun: 'snapshot', id }}
          >
            {work && <OperationProgress operation={work} trans={trans} />}
          </Row>
        );
      })}
    </List>
  );
}

/** `diabetes r4 + 1 package · 3 files · published`. */
export function describe(snapshot: Snapshot, trans: TranslationBundle): string {
  const added = snapshot.drift.added?.length ?? 0;
  const parts = [
    snapshot.revision
      ? `${snapshot.environment} r${snapshot.revision}`
      : snapshot.environment
  ];
  if (added) {
    parts[0] += trans._n(' + %1 package', ' + %1 packages', added);
  }
  parts.push(trans._n('%1 file', '%1 files', snapshot.workspace.files));
  if (snapshot.origin) {
    parts.push(trans.__('from %1', snapshot.owner));
  } else if (snapshot.publications?.length) {
    parts.push(trans.__('published'));
  }
  return parts.join(' · ');
}
