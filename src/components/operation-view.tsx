import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import type { Operation } from '../api/nouns';
import { formatSeconds } from '../format';
import { changesOf, hasEnded, OperationsModel } from '../models/operations';
import { DiffTable } from './checks';
import { useChanges } from './list';
import { Log } from './log';
import { Problem } from './problem';
import { Elapsed, OperationProgress } from './progress';

/** One operation: its phases with their times, its log, how it ended. */
export function OperationView(props: {
  id: string;
  model: OperationsModel;
  client: MlopsClient;
  trans: TranslationBundle;
}): React.ReactElement {
  const { id, model, client, trans } = props;
  useChanges(model);
  const [loaded, setLoaded] = React.useState<Operation | null>(null);
  const operation = model.find(id) ?? loaded;
  React.useEffect(() => {
    // An old operation is not in the list of the newest ones.
    client.operation(id).then(setLoaded, () => setLoaded(null));
  }, [id, client]);
  const log = useLog(id, client, operation ? hasEnded(operation) : false);
  if (!operation) {
    return <p className="jp-MLOpsList-note">{trans.__('Loading…')}</p>;
  }
  const ended = hasEnded(operation);
  const changes = changesOf(operation);
  return (
    <div className="jp-MLOpsOperation">
      <div className="jp-MLOpsOperation-head">
        <h2>{titleOf(operation, trans)}</h2>
        <span className={`jp-MLOpsOperation-state jp-mod-${operation.state}`}>
          {stateOf(operation, trans)}
          {' · '}
          <Elapsed
            started={operation.started || operation.created}
            ended={operation.ended ?? ''}
          />
        </span>
        {!ended && (
          <Button
            className="jp-mod-styled jp-mod-warn"
            onClick={() => void model.cancel(id)}
          >
            {trans.__('Cancel')}
          </Button>
        )}
      </div>
      {!ended && <OperationProgress operation={operation} trans={trans} />}
      {operation.error && (
        <Problem
          error={{
            message: operation.error.message,
            hint: operation.error.hint ?? ''
          }}
        />
      )}
      <ol className="jp-MLOpsOperation-phases" aria-label={trans.__('Steps')}>
        {(operation.phases ?? []).map((phase, index, all) => {
          const last = index === all.length - 1;
          const stopped = last && ended && operation.state !== 'succeeded';
          const bad = stopped && operation.state !== 'cancelled';
          const mark = bad ? '✕' : stopped ? '–' : last && !ended ? '…' : '✓';
          return (
            <li
              key={`${phase.name}-${index}`}
              className={
                bad ? 'jp-mod-bad' : last && !ended ? 'jp-mod-busy' : ''
              }
            >
              <span aria-hidden="true">{mark}</span> {phase.name}{' '}
              <span className="jp-MLOpsOperation-time">
                {typeof phase.seconds === 'number' ? (
                  formatSeconds(phase.seconds)
                ) : (
                  <Elapsed started={phase.started} ended="" />
                )}
              </span>
            </li>
          );
        })}
      </ol>
      {changes && (
        <section
          className="jp-MLOpsOperation-changes"
          aria-label={trans.__('Changed packages')}
        >
          <h3>
            {trans.__(
              'From r%1 to r%2: %3',
              changes.previous,
              changes.revision,
              changes.summary
            )}
          </h3>
          <DiffTable diff={changes.diff} trans={trans} />
        </section>
      )}
      <Log text={log} follow={!ended} trans={trans} />
    </div>
  );
}

/** What an operation is, as a sentence. */
export function titleOf(
  operation: Operation,
  trans: TranslationBundle
): string {
  const { kind, subject } = operation;
  switch (kind) {
    case 'base':
      return trans.__('Making base image %1', subject);
    case 'build':
      return trans.__('Building environment %1', subject);
    case 'snapshot':
      return trans.__('Freezing %1', subject);
    case 'publish':
      return trans.__('Publishing %1', subject);
    case 'open':
      return trans.__('Opening %1', subject);
    case 'reproduce':
      return trans.__('Reproducing %1', subject);
    case 'package':
      return trans.__('Packaging %1', subject);
    case 'check':
      return trans.__('Checking %1', subject);
    case 'deploy':
      return trans.__('Deploying %1', subject);
    case 'update':
      return trans.__('Updating %1', subject);
    case 'rollback':
      return trans.__('Rolling back %1', subject);
    case 'stop':
      return trans.__('Stopping %1', subject);
    case 'start':
      return trans.__('Starting %1', subject);
    case 'delete':
      return trans.__('Deleting %1', subject);
    default:
      return subject;
  }
}

/** How an operation stands, in a word. */
export function stateOf(
  operation: Operation,
  trans: TranslationBundle
): string {
  switch (operation.state) {
    case 'queued':
      return trans.__('waiting');
    case 'running':
      return trans.__('running');
    case 'succeeded':
      return trans.__('done');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
    case 'interrupted':
      return trans.__('interrupted');
    default:
      return operation.state;
  }
}

/** The log, read on from where we are while the operation runs. */
function useLog(id: string, client: MlopsClient, ended: boolean): string {
  const [text, setText] = React.useState('');
  const offset = React.useRef(0);
  React.useEffect(() => {
    offset.current = 0;
    setText('');
  }, [id]);
  React.useEffect(() => {
    let stopped = false;
    let timer = 0;
    const read = async () => {
      try {
        const part = await client.operationLog(id, offset.current);
        if (!stopped) {
          offset.current = part.next;
          setText(old => old + part.text);
        }
      } catch {
        // The next round asks again; the state of the operation shows what is wrong.
      }
      if (!stopped && !ended) {
        timer = window.setTimeout(read, 700);
      }
    };
    void read();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [id, client, ended]);
  return text;
}
