import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { MlopsError } from '../api/error';
import { Field } from './field';
import { Problem } from './problem';

/** Asks for values that one kernel needs, and that are kept nowhere. */
export function SecretsForm(props: {
  environment: string;
  names: string[];
  problem: MlopsError | null;
  trans: TranslationBundle;
  onChange: (values: Record<string, string>) => void;
}): React.ReactElement {
  const { environment, names, problem, trans, onChange } = props;
  const [values, setValues] = React.useState<Record<string, string>>({});
  return (
    <div className="jp-MLOpsLimits">
      {problem && <Problem error={problem} />}
      <p>
        {trans.__(
          'The environment %1 needs what this server does not have.',
          environment
        )}
      </p>
      {names.map(name => (
        <Field key={name} label={name}>
          {id => (
            <input
              id={id}
              type="password"
              autoComplete="off"
              className="jp-mod-styled"
              value={values[name] ?? ''}
              onChange={event => {
                const next = { ...values, [name]: event.target.value };
                setValues(next);
                onChange(next);
              }}
            />
          )}
        </Field>
      ))}
      <p className="jp-MLOpsField-help">
        {trans.__(
          'For this kernel and its restarts only; never saved, and in no snapshot.'
        )}
      </p>
    </div>
  );
}
