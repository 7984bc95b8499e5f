import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { layersIcon } from '../icons';
import type { NotebookKernel } from '../models/notebook-kernel';
import { DriftPopover } from './drift-popover';
import { KernelUsage } from './kernel-usage';
import { useChanges } from './list';
import { ToolbarPopover } from './toolbar-popover';

/** The notebook toolbar's chip: which environment, and what changed in it. */
export function EnvironmentChip(props: {
  kernel: NotebookKernel;
  trans: TranslationBundle;
  onAdd: () => void;
  onFreeze: () => void;
  onSwitch: () => void;
  onLimits: () => void;
}): React.ReactElement | null {
  const { kernel, trans, onAdd, onFreeze, onSwitch, onLimits } = props;
  useChanges(kernel);
  const [open, setOpen] = React.useState<'' | 'environment' | 'drift'>('');
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (!open) {
      return;
    }
    const close = (event: Event) => {
      const outside = !node.current?.contains(event.target as Node);
      if (
        outside ||
        (event instanceof KeyboardEvent && event.key === 'Escape')
      ) {
        setOpen('');
      }
    };
    document.addEventListener('mousedown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('mousedown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  const { pointer, news, drift } = kernel;
  if (!pointer) {
    return null;
  }
  const { label } = kernel;
  const added = drift?.added?.length ?? 0;
  return (
    <div className="jp-MLOpsChip" ref={node}>
      <Button
        minimal
        small
        className="jp-MLOpsChip-button"
        aria-expanded={open === 'environment'}
        title={trans.__('This notebook runs in the environment %1', label)}
        onClick={() => setOpen(open === 'environment' ? '' : 'environment')}
      >
        <layersIcon.react tag="span" verticalAlign="middle" />
        <span>{label}</span>
      </Button>
      {news > 0 && (
        <Button
          minimal
          small
          className="jp-MLOpsChip-button jp-mod-drift"
          aria-expanded={open === 'drift'}
          onClick={() => setOpen(open === 'drift' ? '' : 'drift')}
        >
          {added === news
            ? trans._n('%1 added', '%1 added', news)
            : trans._n('%1 change', '%1 changes', news)}
        </Button>
      )}
      {open === 'environment' && (
        <ToolbarPopover
          label={trans.__('Environment')}
          onClose={() => setOpen('')}
        >
          <h3>{label}</h3>
          <KernelUsage kernel={kernel} trans={trans} />
          <Button
            className="jp-mod-styled"
            onClick={() => {
              setOpen('');
              onLimits();
            }}
          >
            {trans.__('Limits…')}
          </Button>
          <Button
            className="jp-mod-styled"
            onClick={() => {
              setOpen('');
              onSwitch();
            }}
          >
            {trans.__('Switch environment…')}
          </Button>
        </ToolbarPopover>
      )}
      {open === 'drift' && drift && (
        <DriftPopover
          kernel={kernel}
          drift={drift}
          trans={trans}
          onClose={() => setOpen('')}
          onAdd={() => {
            setOpen('');
            onAdd();
          }}
          onFreeze={() => {
            setOpen('');
            onFreeze();
          }}
          onIgnore={() => {
            setOpen('');
            kernel.ignore();
          }}
        />
      )}
    </div>
  );
}
