import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { renderToStaticMarkup } from 'react-dom/server';

import { LatencyHistogram } from '../components/latency-histogram';

const trans = nullTranslator.load('jupyter_mlops');

describe('LatencyHistogram', () => {
  it('draws a bar for each range and says the percentiles', () => {
    const drawn = renderToStaticMarkup(
      <LatencyHistogram
        trans={trans}
        latencies={{
          requests: 5,
          failed: 1,
          fastest: 0.002,
          p50: 0.004,
          p99: 0.8,
          slowest: 0.8,
          histogram: [
            { until: 0.004, count: 4 },
            { until: 0.05, count: 0 },
            { until: 0.8, count: 1 }
          ]
        }}
      />
    );
    const page = document.createElement('div');
    page.innerHTML = drawn;
    const heights = [...page.querySelectorAll('rect')].map(bar =>
      Number(bar.getAttribute('height'))
    );
    expect(heights).toEqual([80, 0, 20]);
    expect(page.querySelector('svg')?.getAttribute('aria-label')).toBe(
      '5 requests: p50 4.0 ms, p99 800 ms, slowest 800 ms'
    );
    expect(page.querySelector('figcaption')?.textContent).toContain('1 failed');
  });
});
