import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Operation } from '../api/nouns';
import { elapsed, formatClock } from '../format';

/** A clock that ticks each second while something runs. */
export function Elapsed(props: {
  started: string;
  ended: string;
}): React.ReactElement {
  const [now, setNow] = React.useState(() => new Date());
  React.useEffect(() => {
    if (props.ended) {
      return;
    }
    const timer = window.setInterval(() => setNow(new Date()), 1000);
    return () => window.clearInterval(timer);
  }, [props.ended]);
  return <>{formatClock(elapsed(props.started, props.ended, now))}</>;
}

/** What an operation is doing, how far it is, and how long so far. */
export function OperationProgress(props: {
  operation: Operation;
  trans: TranslationBundle;
}): React.ReactElement {
  const { operation, trans } = props;
  const fraction = operation.progress;
  const percent =
    typeof fraction === 'number' ? Math.round(fraction * 100) : undefined;
  const what = [operation.phase, operation.message].filter(Boolean).join(' · ');
  return (
    <div className="jp-MLOpsProgress">
      <div className="jp-MLOpsProgress-words">
        <span className="jp-MLOpsProgress-what" title={what}>
          {what || trans.__('Waiting')}
        </span>
        <span className="jp-MLOpsProgress-clock">
          <Elapsed
            started={operation.started || operation.created}
            ended={operation.ended ?? ''}
          />
        </span>
      </div>
      <div
        className={
          percent === undefined
            ? 'jp-MLOpsProgress-bar jp-mod-indeterminate'
            : 'jp-MLOpsProgress-bar'
        }
        role="progressbar"
        aria-label={operation.subject}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <div
          className="jp-MLOpsProgress-fill"
          style={percent === undefined ? undefined : { width: `${percent}%` }}
        />
      </div>
    </div>
  );
}
