import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { formatWhen } from '../format';
import { hasEnded, OperationsModel } from '../models/operations';
import { List, useChanges } from './list';
import { stateOf, titleOf } from './operation-view';
import { OperationProgress } from './progress';
import { Row } from './row';

/** All recent operations, the running ones first. */
export function Activity(props: {
  model: OperationsModel;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, trans, run } = props;
  useChanges(model);
  const running = model.running;
  const ended = model.items.filter(hasEnded);
  return (
    <div className="jp-MLOpsPage">
      <h2>{trans.__('Activity')}</h2>
      <List
        collection={model}
        label={trans.__('Activity')}
        trans={trans}
        empty={trans.__('Nothing was done yet.')}
      >
        {[...running, ...ended].map(operation => {
          const { id } = operation;
          const actions = [
            {
              label: trans.__('Log'),
              onClick: () => run(CommandIDs.showOperation, { id })
            }
          ];
          if (!hasEnded(operation)) {
            actions.push({
              label: trans.__('Cancel'),
              onClick: () => run(CommandIDs.cancelOperation, { id })
            });
          }
          return (
            <Row
              key={id}
              tone={
                !hasEnded(operation)
                  ? 'busy'
                  : operation.state === 'succeeded'
                    ? 'good'
                    : operation.state === 'failed'
                      ? 'bad'
                      : 'idle'
              }
              state={stateOf(operation, trans)}
              title={titleOf(operation, trans)}
              meta={`${stateOf(operation, trans)} · ${formatWhen(operation.created, trans)}`}
              detail={operation.error?.message}
              actions={actions}
              data={{ noun: 'operation', id }}
            >
              {!hasEnded(operation) && (
                <OperationProgress operation={operation} trans={trans} />
              )}
            </Row>
          );
        })}
      </List>
    </div>
  );
}
