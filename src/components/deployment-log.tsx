import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import { Log } from './log';
import { Problem } from './problem';

const PERIOD = 2000;

/** The last lines that a deployment wrote, as they come. */
export function DeploymentLog(props: {
  id: string;
  client: MlopsClient;
  trans: TranslationBundle;
}): React.ReactElement {
  const { id, client, trans } = props;
  const [text, setText] = React.useState('');
  const [follow, setFollow] = React.useState(true);
  const [error, setError] = React.useState<MlopsError | null>(null);
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    let stopped = false;
    let timer = 0;
    const read = async (first: boolean) => {
      // A page behind another one asks for nothing.
      if (first || node.current?.offsetParent) {
        try {
          const log = await client.deploymentLogs(id);
          if (!stopped) {
            setText(log.text);
            setError(null);
          }
        } catch (reason) {
          if (!stopped) {
            setError(MlopsError.from(reason));
          }
        }
      }
      if (!stopped && follow) {
        timer = window.setTimeout(() => void read(false), PERIOD);
      }
    };
    void read(true);
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [id, client, follow]);
  return (
    <div ref={node}>
      {error && <Problem error={error} />}
      <label className="jp-MLOpsLog-follow">
        <input
          type="checkbox"
          checked={follow}
          onChange={event => setFollow(event.target.checked)}
        />{' '}
        {trans.__('Follow')}
      </label>
      <Log text={text} follow={follow} trans={trans} />
    </div>
  );
}
