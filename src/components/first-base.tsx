import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { IMlops } from '../tokens';
import { Problem } from './problem';
import { OperationProgress } from './progress';

/** Without any base image: make one, here and now. */
export function FirstBase(props: {
  model: IMlops;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { model, trans } = props;
  const [failure, setFailure] = React.useState<MlopsError | null>(null);
  const making = model.operations.running.find(o => o.kind === 'base');
  if (making) {
    return <OperationProgress operation={making} trans={trans} />;
  }
  if (model.bases.items.length || !model.bases.loaded) {
    return null;
  }
  const make = () => {
    setFailure(null);
    model.operations
      .follow(model.client.createBase({ kind: 'debian', name: 'debian' }))
      .then(
        () => model.bases.refresh(),
        reason => setFailure(MlopsError.from(reason))
      );
  };
  return (
    <div className="jp-MLOpsForm-base">
      <p>
        {trans.__(
          'There is no base image yet. One can be made from Debian packages in about half a minute.'
        )}
      </p>
      <Button type="button" className="jp-mod-styled" onClick={make}>
        {trans.__('Make a Debian base image')}
      </Button>
      {failure && <Problem error={failure} />}
    </div>
  );
}
