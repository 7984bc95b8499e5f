import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import type { IMlops } from '../tokens';
import { useChanges } from './list';
import { Problem } from './problem';

/** The last line of the sidebar: the engine, and what is under way. */
export function EngineLine(props: {
  model: IMlops;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, trans, run } = props;
  useChanges(model.engine, model.operations);
  const engine = model.engine.items[0];
  const running = model.operations.running.length;
  if (engine?.problem) {
    return (
      <Problem error={engine.problem}>
        <Button
          className="jp-mod-styled"
          onClick={() => void model.engine.refresh()}
        >
          {trans.__('Check again')}
        </Button>
      </Problem>
    );
  }
  return (
    <div className="jp-MLOpsEngine">
      <span role="status">
        {engine?.capabilities ? (
          <>
            <span>{engine.capabilities.title} ·</span>{' '}
            <span>
              {trans._n('%1 container', '%1 containers', engine.containers)}
            </span>
          </>
        ) : (
          (model.engine.error?.message ?? trans.__('Looking for an engine…'))
        )}
      </span>
      <Button small minimal onClick={() => run(CommandIDs.showActivity)}>
        {running
          ? trans._n('%1 running', '%1 running', running)
          : trans.__('Activity')}
      </Button>
    </div>
  );
}
