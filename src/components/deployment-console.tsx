import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { Deployment, IInvocation } from '../api/nouns';
import { formatSeconds } from '../format';
import type { IMlops } from '../tokens';
import { DeploymentLog } from './deployment-log';
import { Field } from './field';
import { LatencyHistogram } from './latency-histogram';
import { useChanges } from './list';
import { Problem } from './problem';

/** One deployment: where it answers, a request to try, its log. */
export function DeploymentConsole(props: {
  /** As it was when the page was opened. */
  deployment: Deployment;
  mlops: IMlops;
  /** Whether to begin with the log. */
  logs: boolean;
  trans: TranslationBundle;
}): React.ReactElement {
  const { mlops, trans } = props;
  useChanges(mlops.deployments);
  const deployment =
    mlops.deployments.items.find(({ id }) => id === props.deployment.id) ??
    props.deployment;
  const [body, setBody] = React.useState('');
  const [times, setTimes] = React.useState(1);
  const [answer, setAnswer] = React.useState<IInvocation | null>(null);
  const [error, setError] = React.useState<MlopsError | null>(null);
  const [busy, setBusy] = React.useState(false);

  const written = deployment.state === 'written';
  const [log, setLog] = React.useState(props.logs && !written);
  const invoke = async () => {
    setBusy(true);
    setError(null);
    try {
      setAnswer(await mlops.client.invoke(deployment.id, body || null, times));
    } catch (reason) {
      setError(MlopsError.from(reason));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="jp-MLOpsConsole">
      <h3>{deployment.name}</h3>
      <dl>
        <dt>{trans.__('State')}</dt>
        <dd>
          {[deployment.state, deployment.status].filter(Boolean).join(' · ')}
        </dd>
        <dt>{written ? trans.__('Written to') : trans.__('Answers at')}</dt>
        <dd>
          <code>{deployment.endpoint}</code>
        </dd>
      </dl>
      {(deployment.resources ?? []).length > 0 && (
        <details>
          <summary>{trans.__('What was created')}</summary>
          <ul>
            {(deployment.resources ?? []).map(resource => (
              <li key={`${resource.kind}-${resource.name}`}>
                {resource.kind}: <code>{resource.name}</code>
                {resource.kept ? ` (${trans.__('kept on delete')})` : ''}
              </li>
            ))}
          </ul>
        </details>
      )}
      {written ? (
        <p>
          {trans.__(
            'These are files for people elsewhere; nothing runs here. README.md says what each of them is, and what to do with it.'
          )}
        </p>
      ) : (
        <>
          <Field
            label={trans.__('Request')}
            help={trans.__('Empty: the sample recorded in the package.')}
          >
            {(id, by) => (
              <textarea
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                rows={4}
                spellCheck={false}
                value={body}
                onChange={event => setBody(event.target.value)}
              />
            )}
          </Field>
          <Field
            label={trans.__('Requests')}
            help={trans.__('One after the other; several are timed.')}
          >
            {(id, by) => (
              <input
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                type="number"
                min={1}
                max={1000}
                value={times}
                onChange={event =>
                  setTimes(
                    Math.min(1000, Math.max(1, Math.trunc(+event.target.value)))
                  )
                }
              />
            )}
          </Field>
          <Button
            className="jp-mod-styled jp-mod-accept"
            disabled={busy || deployment.state !== 'running'}
            onClick={() => void invoke()}
          >
            {trans.__('Invoke')}
          </Button>
          <Button className="jp-mod-styled" onClick={() => setLog(!log)}>
            {log ? trans.__('Hide log') : trans.__('Show log')}
          </Button>
        </>
      )}
      {error && <Problem error={error} />}
      {answer && (
        <section
          aria-label={trans.__('Answer')}
          className="jp-MLOpsConsole-answer"
        >
          <p role="status">
            {trans.__(
              'Status %1 in %2',
              answer.status,
              answer.seconds < 1
                ? `${(answer.seconds * 1000).toFixed(0)} ms`
                : formatSeconds(answer.seconds)
            )}
          </p>
          {answer.latencies.requests > 1 && (
            <LatencyHistogram latencies={answer.latencies} trans={trans} />
          )}
          <pre>{answer.body}</pre>
        </section>
      )}
      {log && (
        <DeploymentLog id={deployment.id} client={mlops.client} trans={trans} />
      )}
    </div>
  );
}
