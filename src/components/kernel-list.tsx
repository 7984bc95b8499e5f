import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { KernelStatus } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import type { IMlops } from '../tokens';
import { cpuWords, memoryWords } from './kernel-usage';
import { List, useChanges } from './list';
import { Row } from './row';
import { useWhileSeen } from './seen';

/** The kernels that run in containers, with what they use now. */
export function KernelList(props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, filter, trans, run } = props;
  useChanges(model.kernels);
  const node = React.useRef<HTMLDivElement>(null);
  useWhileSeen(node, 3000, () => model.kernels.refresh());
  const shown = model.kernels.items.filter(kernel =>
    `${title(kernel)} ${kernel.environment}`.toLowerCase().includes(filter)
  );
  return (
    <div ref={node}>
      <List
        collection={{
          error: model.kernels.error,
          loaded: model.kernels.loaded,
          items: shown
        }}
        label={trans.__('Kernels')}
        trans={trans}
        empty={
          filter
            ? trans.__('No kernel matches.')
            : trans.__('No notebook runs in a container now.')
        }
      >
        {shown.map(kernel => (
          <Row
            key={kernel.id}
            tone={kernel.alive ? 'good' : 'idle'}
            state={kernel.alive ? trans.__('running') : trans.__('not running')}
            title={title(kernel)}
            meta={kernel.alive ? memoryWords(kernel, trans) : ''}
            detail={[
              kernel.snapshot
                ? trans.__('snapshot of %1', kernel.environment)
                : `${kernel.environment} r${kernel.revision}`,
              ...(kernel.alive ? [cpuWords(kernel, trans)] : [])
            ].join(' · ')}
            actions={[
              {
                label: trans.__('Open'),
                onClick: () => run(CommandIDs.openKernel, { id: kernel.id })
              },
              {
                label: trans.__('Limits'),
                onClick: () => run(CommandIDs.limits, { id: kernel.id })
              },
              {
                label: trans.__('Shut down'),
                onClick: () => run(CommandIDs.shutDownKernel, { id: kernel.id })
              }
            ]}
            data={{ noun: 'kernel', id: kernel.id }}
          />
        ))}
      </List>
    </div>
  );
}

/** The name of its notebook; of a kernel without one, the beginning of its id. */
function title(kernel: KernelStatus): string {
  return kernel.notebook?.split('/').pop() || kernel.id.slice(0, 8);
}
