import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Latencies } from '../api/nouns';

const WIDTH = 300;
const HEIGHT = 80;
const GAP = 2;

/** How long requests took: two percentiles, and bars of the same ratio. */
export function LatencyHistogram(props: {
  latencies: Latencies;
  trans: TranslationBundle;
}): React.ReactElement {
  const { latencies, trans } = props;
  const { histogram } = latencies;
  const most = Math.max(...histogram.map(bar => bar.count), 1);
  const width = WIDTH / histogram.length;
  const summary = trans.__(
    '%1 requests: p50 %2, p99 %3, slowest %4',
    latencies.requests,
    milliseconds(latencies.p50),
    milliseconds(latencies.p99),
    milliseconds(latencies.slowest)
  );
  return (
    <figure className="jp-MLOpsLatency">
      <svg
        role="img"
        aria-label={summary}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {histogram.map((bar, index) => {
          const height = (bar.count / most) * HEIGHT;
          return (
            <rect
              key={index}
              className="jp-MLOpsLatency-bar"
              x={index * width}
              y={HEIGHT - height}
              width={Math.max(width - GAP, 1)}
              height={height}
            >
              <title>
                {trans.__('%1 up to %2', bar.count, milliseconds(bar.until))}
              </title>
            </rect>
          );
        })}
      </svg>
      <div className="jp-MLOpsLatency-axis" aria-hidden="true">
        <span>{milliseconds(latencies.fastest)}</span>
        <span>{milliseconds(latencies.slowest)}</span>
      </div>
      <figcaption>
        {summary}
        {latencies.failed > 0 &&
          ` · ${trans.__('%1 failed', latencies.failed)}`}
      </figcaption>
    </figure>
  );
}

/** `0.8 ms`, `12 ms`, `1200 ms`. */
function milliseconds(seconds: number): string {
  const value = seconds * 1000;
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
