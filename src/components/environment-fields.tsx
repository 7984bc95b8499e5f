import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Base, Environment } from '../api/nouns';
import { formatBytes } from '../format';
import type {
  DraftErrors,
  IEnvironmentDraft
} from '../models/environment-draft';
import { Field, TextField } from './field';

/** What every field of the form of an environment needs. */
export interface IDraftState {
  draft: IEnvironmentDraft;
  /** What is wrong, in words. */
  errors: DraftErrors;
  change: (part: Partial<IEnvironmentDraft>) => void;
}

/** A text of the draft. */
export function DraftField(props: {
  state: IDraftState;
  name: keyof IEnvironmentDraft;
  label: string;
  help?: string;
  rows?: number;
  type?: 'text' | 'date';
  inputMode?: 'decimal' | 'numeric';
  disabled?: boolean;
}): React.ReactElement {
  const { state, name, ...rest } = props;
  return (
    <TextField
      {...rest}
      value={state.draft[name]}
      error={state.errors[name]}
      onChange={text =>
        state.change({ [name]: text } as Partial<IEnvironmentDraft>)
      }
    />
  );
}

/** Base images, and the environments that others can start from. */
export function BaseField(props: {
  state: IDraftState;
  bases: ReadonlyArray<Base>;
  environments: ReadonlyArray<Environment>;
  trans: TranslationBundle;
}): React.ReactElement {
  const { state, bases, environments, trans } = props;
  const { base } = state.draft;
  const known =
    bases.some(other => other.name === base) ||
    environments.some(other => `${other.name}@active` === base);
  return (
    <Field
      label={trans.__('Base')}
      help={trans.__('What the environment starts from.')}
      error={state.errors.base}
    >
      {(id, by) => (
        <HTMLSelect
          id={id}
          aria-describedby={by}
          aria-invalid={!!state.errors.base}
          value={base}
          onChange={event => state.change({ base: event.target.value })}
        >
          {!base && <option value="">{trans.__('None yet')}</option>}
          {bases.map(({ name, origin, size }) => (
            <option key={name} value={name}>
              {`${name} · ${origin} · ${formatBytes(size ?? 0)}`}
            </option>
          ))}
          {environments.map(({ name }) => (
            <option key={name} value={`${name}@active`}>
              {trans.__('%1, as it is when built', name)}
            </option>
          ))}
          {base && !known && <option value={base}>{base}</option>}
        </HTMLSelect>
      )}
    </Field>
  );
}

/** What most environments do without. */
export function MoreFields(props: {
  state: IDraftState;
  trans: TranslationBundle;
}): React.ReactElement {
  const { state, trans } = props;
  return (
    <>
      <DraftField
        state={state}
        name="variables"
        label={trans.__('Variables')}
        help={trans.__(
          'NAME=value, one per line. Everybody who gets the environment sees them: no secrets.'
        )}
        rows={2}
      />
      <DraftField
        state={state}
        name="secrets"
        label={trans.__('Secrets')}
        help={trans.__(
          'Names only, one per line: WANDB_API_KEY. The settings of the server say where their values are.'
        )}
        rows={2}
      />
      <DraftField
        state={state}
        name="setup"
        label={trans.__('Setup script')}
        help={trans.__('A bash script that runs last, as root.')}
        rows={3}
      />
      <DraftField
        state={state}
        name="preload"
        label={trans.__('Modules to begin with')}
        help={trans.__(
          'Imported before a notebook starts, so that its own import takes no time. One per line: sklearn.linear_model'
        )}
        rows={2}
      />
      <DraftField
        state={state}
        name="smoke"
        label={trans.__('Smoke notebook')}
        help={trans.__(
          'A notebook of yours that must run to its end before a revision becomes active: tests/smoke.ipynb'
        )}
      />
      <DraftField
        state={state}
        name="date"
        label={trans.__('Packages as of')}
        help={trans.__(
          'Only what the package index had on that day. Empty: the newest.'
        )}
        type="date"
      />
    </>
  );
}

/** What one notebook's kernel may use. */
export function LimitFields(props: {
  state: IDraftState;
  trans: TranslationBundle;
}): React.ReactElement {
  const { state, trans } = props;
  const { network } = state.draft;
  return (
    <>
      <Field label={trans.__('Network of its notebooks')}>
        {id => (
          <HTMLSelect
            id={id}
            value={network}
            onChange={event =>
              state.change({
                network: event.target.value as IEnvironmentDraft['network']
              })
            }
          >
            <option value="outbound">{trans.__('May reach out')}</option>
            <option value="none">{trans.__('None')}</option>
          </HTMLSelect>
        )}
      </Field>
      <DraftField
        state={state}
        name="memory"
        label={trans.__('Memory limit')}
        help={trans.__('For each notebook, as 4 GiB. Empty: no limit.')}
      />
      <DraftField
        state={state}
        name="cpus"
        label={trans.__('CPU limit')}
        help={trans.__('Cores for each notebook. Empty: no limit.')}
        inputMode="decimal"
      />
      <DraftField
        state={state}
        name="pids"
        label={trans.__('Processes and threads')}
        help={trans.__('At most, in each notebook. Empty: no limit.')}
        inputMode="numeric"
      />
      <DraftField
        state={state}
        name="gpus"
        label={trans.__('Graphics processors')}
        help={trans.__('For each notebook. Empty: none.')}
        inputMode="numeric"
      />
    </>
  );
}
