import * as React from 'react';

import type { MlopsError } from '../api/error';

/** What went wrong, and what to do about it. */
export function Problem(props: {
  error: Pick<MlopsError, 'message' | 'hint'>;
  children?: React.ReactNode;
}): React.ReactElement {
  const { error, children } = props;
  return (
    <div className="jp-MLOpsProblem" role="alert">
      <div>{error.message}</div>
      {error.hint && <div className="jp-MLOpsProblem-hint">{error.hint}</div>}
      {children}
    </div>
  );
}
