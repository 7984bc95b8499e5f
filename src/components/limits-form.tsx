import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { MlopsError } from '../api/error';
import type { LimitChoice, Limits } from '../api/nouns';
import { formatMemory } from '../format';
import { Field, TextField } from './field';
import { Problem } from './problem';

/** The fields as they are typed; empty means as the environment has it. */
export interface ILimitsDraft {
  memory: string;
  cpus: string;
  pids: string;
  gpus: string;
  network: string;
}

export function draftOf(limits: Limits): ILimitsDraft {
  const text = (value: number | string | null | undefined) =>
    value === null || value === undefined ? '' : String(value);
  const { memory } = limits;
  return {
    memory:
      typeof memory === 'number' && memory > 0
        ? formatMemory(memory)
        : text(memory),
    cpus: text(limits.cpus),
    pids: text(limits.pids),
    gpus: text(limits.gpus),
    network: limits.network ?? ''
  };
}

/** What the server is asked for. It reads amounts of memory itself, and says what is wrong. */
export function limitsOf(draft: ILimitsDraft): Limits {
  const number = (text: string) => {
    const trimmed = text.trim().replace(',', '.');
    // Text that is no number goes as it is: the server's answer names it.
    return trimmed === ''
      ? null
      : ((Number.isFinite(Number(trimmed))
          ? Number(trimmed)
          : trimmed) as number);
  };
  return {
    memory: draft.memory.trim() || null,
    cpus: number(draft.cpus),
    pids: number(draft.pids),
    gpus: number(draft.gpus),
    network: (draft.network || null) as Limits['network']
  };
}

/** What one notebook's kernel may use, instead of what its environment says. */
export function LimitsForm(props: {
  choice: LimitChoice;
  draft: ILimitsDraft;
  /** Names of what was installed in the running container, which a new one does not have. */
  installed: string[];
  /** A kernel runs, in a container with the limits of before. */
  running: boolean;
  problem: MlopsError | null;
  trans: TranslationBundle;
  onChange: (draft: ILimitsDraft) => void;
  onFreeze: () => void;
}): React.ReactElement {
  const { choice, installed, running, problem, trans, onChange, onFreeze } =
    props;
  const [draft, setDraft] = React.useState(props.draft);
  const change = (part: Partial<ILimitsDraft>) => {
    const next = { ...draft, ...part };
    setDraft(next);
    onChange(next);
  };
  const { resources, network } = choice.environment;
  const { machine, ceiling } = choice;
  const unlimited = trans.__('no limit');
  const most = (there: number, allowed: number | null | undefined) =>
    Math.min(there || Infinity, allowed || Infinity);
  const memory = most(machine.memory ?? 0, ceiling.memory);
  const cpus = most(machine.cpus ?? 0, ceiling.cpus);
  const input = (
    name: Exclude<keyof ILimitsDraft, 'network'>,
    label: string,
    placeholder: string,
    help?: string
  ) => (
    <TextField
      label={label}
      help={help}
      placeholder={placeholder}
      value={draft[name]}
      onChange={text => change({ [name]: text })}
    />
  );
  return (
    <div className="jp-MLOpsLimits">
      {problem && <Problem error={problem} />}
      {!choice.enforced && (
        <p>
          {trans.__(
            'The engine cannot limit memory, processors and processes for you on this machine; network can be chosen.'
          )}
        </p>
      )}
      <div className="jp-MLOpsLimits-fields">
        {input(
          'memory',
          trans.__('Memory'),
          resources?.memory ? formatMemory(resources.memory) : unlimited,
          Number.isFinite(memory)
            ? trans.__('Such as 2 GiB; at most %1.', formatMemory(memory))
            : trans.__('Such as 2 GiB.')
        )}
        {input(
          'cpus',
          trans.__('Processors'),
          resources?.cpus ? String(resources.cpus) : unlimited,
          Number.isFinite(cpus)
            ? trans.__('Such as 1.5; at most %1.', cpus)
            : trans.__('Such as 1.5.')
        )}
        {input(
          'pids',
          trans.__('Processes and threads'),
          resources?.pids ? String(resources.pids) : unlimited
        )}
        {(machine.gpus ?? 0) > 0 &&
          input(
            'gpus',
            trans.__('Graphics processors'),
            String(resources?.gpus ?? 0),
            trans.__('At most %1.', machine.gpus)
          )}
        <Field label={trans.__('Network')}>
          {id => (
            <HTMLSelect
              id={id}
              value={draft.network}
              onChange={event => change({ network: event.target.value })}
              options={[
                {
                  value: '',
                  label:
                    network === 'none'
                      ? trans.__('Environment: none')
                      : trans.__('Environment: outbound')
                },
                { value: 'outbound', label: trans.__('Outbound') },
                { value: 'none', label: trans.__('None') }
              ]}
            />
          )}
        </Field>
      </div>
      <p className="jp-MLOpsField-help">
        {trans.__(
          'An empty field is as the environment says. Remembered for this notebook on this server.'
        )}
      </p>
      {running && (
        <p>
          {trans.__(
            'Limits belong to a container, so the kernel restarts in a new one: variables are lost.'
          )}
        </p>
      )}
      {running && installed.length > 0 && (
        <div className="jp-MLOpsProblem" role="note">
          <div>
            {trans._n(
              'What was installed in this one is lost, too: %2.',
              'What was installed in this one is lost, too (%1 packages): %2.',
              installed.length,
              installed.slice(0, 6).join(', ') +
                (installed.length > 6 ? ', …' : '')
            )}
          </div>
          <Button className="jp-mod-styled" onClick={onFreeze}>
            {trans.__('Freeze it first…')}
          </Button>
        </div>
      )}
    </div>
  );
}
