import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { Additions, InventoryDiff } from '../api/nouns';
import type { NotebookKernel } from '../models/notebook-kernel';
import { DiffTable } from './checks';
import { LeftOutList } from './left-out';
import { Problem } from './problem';
import { ToolbarPopover } from './toolbar-popover';

/** What changed in a notebook's kernel, and what can be done with it. */
export function DriftPopover(props: {
  kernel: NotebookKernel;
  drift: InventoryDiff;
  trans: TranslationBundle;
  onAdd: () => void;
  onFreeze: () => void;
  onIgnore: () => void;
  onClose: () => void;
}): React.ReactElement {
  const { kernel, drift, trans, onAdd, onFreeze, onIgnore, onClose } = props;
  const [additions, setAdditions] = React.useState<Additions | null>(null);
  const [failure, setFailure] = React.useState<MlopsError | null>(null);
  const environment = kernel.pointer?.snapshot
    ? ''
    : (kernel.pointer?.environment ?? '');
  React.useEffect(() => {
    let stopped = false;
    if (environment) {
      setFailure(null);
      kernel.additions().then(
        found => !stopped && setAdditions(found),
        reason => !stopped && setFailure(MlopsError.from(reason))
      );
    }
    return () => {
      stopped = true;
    };
  }, [kernel, drift, environment]);
  return (
    <ToolbarPopover
      label={trans.__('Changes since the revision')}
      onClose={onClose}
    >
      <DiffTable diff={drift} trans={trans} />
      <LeftOutList
        title={trans.__('Cannot be added to the environment:')}
        items={additions?.left_out ?? []}
      />
      {failure && <Problem error={failure} />}
      {environment && (
        <Button
          className="jp-mod-styled jp-mod-accept"
          title={trans.__(
            'Build a new revision of %1 with these packages',
            environment
          )}
          disabled={
            !!additions &&
            !additions.requirements?.length &&
            !additions.r?.length
          }
          onClick={onAdd}
        >
          {trans.__('Add to environment')}
        </Button>
      )}
      <Button
        className={`jp-mod-styled${environment ? '' : ' jp-mod-accept'}`}
        onClick={onFreeze}
      >
        {trans.__('Freeze')}
      </Button>
      <Button className="jp-mod-styled" onClick={onIgnore}>
        {trans.__('Ignore')}
      </Button>
    </ToolbarPopover>
  );
}
