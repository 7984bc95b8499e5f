import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Deployment } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import { formatPlannedEnd, formatWhen } from '../format';
import type { IMlops } from '../tokens';
import { List, useChanges } from './list';
import { OperationProgress } from './progress';
import { Row, Tone } from './row';

const TONES: Record<Deployment['state'], Tone> = {
  creating: 'busy',
  running: 'good',
  written: 'good',
  failed: 'bad',
  stopped: 'idle',
  deleting: 'busy',
  completed: 'good',
  registered: 'good'
};

const WORK = ['deploy', 'update', 'rollback', 'stop', 'start', 'delete'];

/** The deployments of the sidebar. */
export function DeploymentList(props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, filter, trans, run } = props;
  useChanges(model.deployments, model.operations);
  const shown = model.deployments.items.filter(deployment =>
    `${deployment.name} ${deployment.target}`.toLowerCase().includes(filter)
  );
  return (
    <List
      collection={{
        error: model.deployments.error,
        loaded: model.deployments.loaded,
        items: shown
      }}
      label={trans.__('Deployments')}
      trans={trans}
      empty={
        filter
          ? trans.__('No deployment matches.')
          : trans.__('Export a model to see it run here.')
      }
    >
      {shown.map(deployment => {
        const { id, name } = deployment;
        const work = model.operations.running.find(
          operation =>
            WORK.includes(operation.kind) &&
            [id, name].includes(operation.subject)
        );
        return (
          <Row
            key={id}
            tone={TONES[deployment.state]}
            state={deployment.state}
            title={name}
            meta={deployment.status || deployment.state}
            detail={[
              formatPlannedEnd(deployment.planned_end ?? '', trans),
              deployment.message ||
                `${deployment.target} · ${formatWhen(deployment.created, trans)}`,
              deployment.cost ? trans.__('Costs: %1', deployment.cost) : ''
            ]
              .filter(Boolean)
              .join(' · ')}
            actions={[
              {
                label:
                  deployment.state === 'written'
                    ? trans.__('Show')
                    : trans.__('Invoke'),
                disabled: !['running', 'written'].includes(deployment.state),
                onClick: () => run(CommandIDs.showDeployment, { id })
              },
              {
                label: trans.__('Logs'),
                disabled: deployment.state === 'written',
                onClick: () =>
                  run(CommandIDs.showDeployment, { id, logs: true })
              },
              ...(deployment.can_update
                ? [
                    {
                      label: trans.__('Update'),
                      disabled: !!work || deployment.state !== 'running',
                      onClick: () => run(CommandIDs.updateDeployment, { id })
                    }
                  ]
                : []),
              ...(deployment.can_roll_back
                ? [
                    {
                      label: trans.__('Roll back'),
                      disabled: !!work,
                      onClick: () => run(CommandIDs.rollBackDeployment, { id })
                    }
                  ]
                : []),
              ...(deployment.can_review
                ? [true, false].map(approved => ({
                    label: approved ? trans.__('Approve') : trans.__('Reject'),
                    disabled:
                      deployment.status ===
                      (approved ? 'Approved' : 'Rejected'),
                    onClick: () =>
                      run(CommandIDs.reviewDeployment, { id, approved })
                  }))
                : []),
              ...(deployment.can_stop
                ? [
                    {
                      label:
                        deployment.state === 'running'
                          ? trans.__('Stop')
                          : trans.__('Start'),
                      disabled: !!work,
                      onClick: () => run(CommandIDs.turnDeployment, { id })
                    }
                  ]
                : []),
              {
                label: trans.__('Delete'),
                disabled: !!work,
                onClick: () => run(CommandIDs.deleteDeployment, { id })
              }
            ]}
            data={{ noun: 'deployment', id }}
          >
            {work && <OperationProgress operation={work} trans={trans} />}
          </Row>
        );
      })}
    </List>
  );
}
