import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { KernelStatus } from '../api/nouns';
import { formatMemory } from '../format';
import type { NotebookKernel } from '../models/notebook-kernel';
import { useWhileSeen } from './seen';

/** Memory and processors of a kernel's container, now, with what it may use. */
export function KernelUsage(props: {
  kernel: NotebookKernel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { kernel, trans } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const [status, setStatus] = React.useState<KernelStatus | null>(null);
  const [failed, setFailed] = React.useState('');
  useWhileSeen(node, 2000, async () => {
    try {
      setStatus(await kernel.status());
      setFailed('');
    } catch (reason) {
      setFailed(MlopsError.from(reason).message);
    }
  });
  return (
    <div ref={node}>
      {failed ? (
        <p>{failed}</p>
      ) : status ? (
        <UsageMeters status={status} trans={trans} />
      ) : (
        <p>{trans.__('Looking…')}</p>
      )}
    </div>
  );
}

/** The figures of one kernel as bars where there is a limit. */
export function UsageMeters(props: {
  status: KernelStatus;
  trans: TranslationBundle;
}): React.ReactElement {
  const { status, trans } = props;
  const cpus = status.limits?.resources?.cpus ?? 0;
  const pids = status.limits?.resources?.pids ?? 0;
  const gpus = status.limits?.resources?.gpus ?? 0;
  return (
    <dl className="jp-MLOpsChip-usage">
      <Measure
        label={trans.__('Memory')}
        words={memoryWords(status, trans)}
        value={status.memory ?? 0}
        limit={status.memory_limit ?? 0}
      />
      <Measure
        label={trans.__('Processor')}
        words={cpuWords(status, trans)}
        value={status.cpu ?? 0}
        limit={cpus}
      />
      {pids > 0 && (
        <Measure
          label={trans.__('Processes')}
          words={trans.__('at most %1', pids)}
        />
      )}
      {gpus > 0 && (
        <Measure label={trans.__('Graphics')} words={String(gpus)} />
      )}
      <Measure
        label={trans.__('Network')}
        words={
          status.limits?.network === 'none'
            ? trans.__('none')
            : trans.__('outbound')
        }
      />
    </dl>
  );
}

/** `114 MiB of 2 GiB`, or what is used where there is no limit. */
export function memoryWords(
  status: KernelStatus,
  trans: TranslationBundle
): string {
  const memory = formatMemory(status.memory ?? 0);
  return status.memory_limit
    ? trans.__('%1 of %2', memory, formatMemory(status.memory_limit))
    : memory;
}

/** `0.3 of 2 cores`. */
export function cpuWords(
  status: KernelStatus,
  trans: TranslationBundle
): string {
  const used = (status.cpu ?? 0).toFixed(1);
  const limit = status.limits?.resources?.cpus ?? 0;
  return limit
    ? trans.__('%1 of %2 cores', used, limit)
    : trans.__('%1 cores', used);
}

function Measure(props: {
  label: string;
  words: string;
  value?: number;
  limit?: number;
}): React.ReactElement {
  const { label, words, value = 0, limit = 0 } = props;
  const share = limit ? Math.min(1, value / limit) : 0;
  return (
    <>
      <dt>{label}</dt>
      <dd>
        {words}
        {limit > 0 && (
          <div
            className={`jp-MLOpsMeter${share > 0.9 ? ' jp-mod-high' : ''}`}
            role="meter"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(share * 100)}
            aria-valuetext={words}
          >
            <div style={{ width: `${share * 100}%` }} />
          </div>
        )}
      </dd>
    </>
  );
}
