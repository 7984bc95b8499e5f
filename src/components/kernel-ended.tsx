import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatMemory } from '../format';
import type { IKernelEvent } from '../tokens';

/** Above the cells: why the kernel ended, and what can be done. */
export function KernelEnded(props: {
  event: IKernelEvent;
  /** Bytes that a new container could have; 0 where it cannot have more. */
  more: number;
  trans: TranslationBundle;
  onMore: () => void;
  onLimits: () => void;
  onClose: () => void;
}): React.ReactElement {
  const { event, more, trans, onMore, onLimits, onClose } = props;
  const memory = /out_of_memory$/.test(event.reason);
  return (
    <div className="jp-MLOpsEnded" role="alert">
      <div className="jp-MLOpsEnded-words">
        <strong>{event.message}</strong>
        {/* The button says it shorter. */}
        {!more && ` ${event.hint}`}
      </div>
      <div className="jp-MLOpsEnded-actions">
        {more > 0 && (
          <Button className="jp-mod-styled jp-mod-accept" onClick={onMore}>
            {trans.__('Restart with %1', formatMemory(more))}
          </Button>
        )}
        {memory && (
          <Button className="jp-mod-styled" onClick={onLimits}>
            {trans.__('Limits…')}
          </Button>
        )}
        <Button className="jp-mod-styled" onClick={onClose}>
          {trans.__('Close')}
        </Button>
      </div>
    </div>
  );
}
