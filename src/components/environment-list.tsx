import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Environment, Operation } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import { changesOf, hasEnded } from '../models/operations';
import type { IMlops } from '../tokens';
import { List, useChanges } from './list';
import { OperationProgress } from './progress';
import { Row } from './row';

type Run = (command: string, args?: Record<string, any>) => void;

/** The environments of the sidebar. */
export function EnvironmentList(props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { model, filter, trans, run } = props;
  useChanges(model.environments, model.operations, model.engine);
  const shown = model.environments.items.filter(({ name, spec }) =>
    `${name} ${spec.description}`.toLowerCase().includes(filter)
  );
  // A first build may be known before its environment is. One that has ended without an
  // environment was cancelled, or the environment was deleted: nothing is left to show.
  const first = model.operations.running.filter(
    operation =>
      operation.kind === 'build' &&
      operation.subject.includes(filter) &&
      !model.environments.items.some(e => e.name === operation.subject)
  );
  return (
    <List
      collection={{
        error: model.environments.error,
        loaded: model.environments.loaded,
        items: [...shown, ...first]
      }}
      label={trans.__('Environments')}
      trans={trans}
      empty={
        filter ? (
          trans.__('No environment matches.')
        ) : (
          <FirstEnvironment model={model} trans={trans} run={run} />
        )
      }
    >
      {first.map(operation => (
        <BuildRow
          key={operation.id}
          operation={operation}
          trans={trans}
          run={run}
        />
      ))}
      {shown.map(environment => (
        <EnvironmentRow
          key={environment.name}
          environment={environment}
          operation={model.operations.latest(environment.name, 'build')}
          trans={trans}
          run={run}
        />
      ))}
    </List>
  );
}

function FirstEnvironment(props: {
  model: IMlops;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { model, trans, run } = props;
  const usable = model.engine.items[0]?.capabilities;
  return (
    <div className="jp-MLOpsEmpty">
      <p>
        {trans.__(
          'An environment is a set of packages in a container that your notebooks run in, exactly the same for everyone, today and in a year.'
        )}
      </p>
      <Button
        className="jp-mod-styled jp-mod-accept"
        disabled={!usable}
        onClick={() => run(CommandIDs.newEnvironment)}
      >
        {trans.__('Build your first environment')}
      </Button>
    </div>
  );
}

function BuildRow(props: {
  operation: Operation;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { operation, trans, run } = props;
  const { id } = operation;
  return (
    <Row
      tone="busy"
      state={trans.__('Building')}
      title={operation.subject}
      meta={trans.__('building')}
      actions={[
        {
          label: trans.__('Log'),
          onClick: () => run(CommandIDs.showOperation, { id })
        },
        {
          label: trans.__('Cancel'),
          onClick: () => run(CommandIDs.cancelOperation, { id })
        }
      ]}
      data={{ noun: 'operation', id }}
    >
      <OperationProgress operation={operation} trans={trans} />
    </Row>
  );
}

function EnvironmentRow(props: {
  environment: Environment;
  operation: Operation | undefined;
  trans: TranslationBundle;
  run: Run;
}): React.ReactElement {
  const { environment, operation, trans, run } = props;
  const { name } = environment;
  const building = operation && !hasEnded(operation) ? operation : null;
  const failed =
    operation && ['failed', 'interrupted'].includes(operation.state)
      ? operation
      : null;
  const usable = (environment.active ?? 0) > 0;
  const actions = [
    {
      label: trans.__('New notebook'),
      disabled: !usable,
      onClick: () => run(CommandIDs.newNotebook, { name })
    },
    {
      label: trans.__('Edit'),
      onClick: () => run(CommandIDs.editEnvironment, { name })
    },
    {
      label: trans.__('Revisions'),
      disabled: !environment.latest,
      onClick: () => run(CommandIDs.showRevisions, { name })
    },
    {
      label: trans.__('Delete'),
      disabled: !!building,
      onClick: () => run(CommandIDs.deleteEnvironment, { name })
    }
  ];
  if (operation) {
    actions.push({
      label: trans.__('Log'),
      onClick: () => run(CommandIDs.showOperation, { id: operation.id })
    });
  }
  if (building) {
    actions.push({
      label: trans.__('Cancel'),
      onClick: () => run(CommandIDs.cancelOperation, { id: building.id })
    });
  }
  const packages = environment.spec.python ?? [];
  // Of the revision that is active: one that failed its test is told by its error.
  const changes =
    operation?.state === 'succeeded' ? changesOf(operation) : null;
  return (
    <Row
      tone={building ? 'busy' : failed ? 'bad' : usable ? 'good' : 'idle'}
      state={
        building
          ? trans.__('Building')
          : failed
            ? trans.__('Last build failed')
            : usable
              ? trans.__('Ready')
              : trans.__('Not built')
      }
      title={name}
      meta={usable ? `r${environment.active}` : trans.__('not built')}
      detail={
        failed?.error?.message ??
        (environment.spec.description || packages.join(', '))
      }
      actions={actions}
      data={{ noun: 'environment', id: name }}
    >
      {building && <OperationProgress operation={building} trans={trans} />}
      {changes && changes.revision === environment.active && (
        <span className="jp-MLOpsRow-detail">
          {trans.__('Since r%1: %2', changes.previous, changes.summary)}
        </span>
      )}
    </Row>
  );
}
