import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import type { Environment, Operation } from '../api/nouns';
import { CommandIDs } from '../commands/ids';
import { EnvironmentList } from '../components/environment-list';
import { Mlops } from '../models/mlops';

const trans = nullTranslator.load('jupyter_mlops');

function environment(name: string, active: number): Environment {
  return {
    name,
    owner: 'ada',
    created: '2026-11-22T10:00:00+00:00',
    active,
    latest: active,
    spec: { name, base: 'debian', python: ['pandas'] }
  } as Environment;
}

function build(subject: string, part: Partial<Operation>): Operation {
  return {
    id: `build-${subject}`,
    kind: 'build',
    subject,
    state: 'running',
    created: '2026-11-22T10:00:00+00:00',
    phase: 'python',
    message: 'installing lightgbm',
    ...part
  } as Operation;
}

async function show(server: {
  environments: Environment[];
  operations: Operation[];
  filter?: string;
}) {
  const client = {
    engine: async () => ({
      capabilities: { title: 'Docker 28' },
      containers: 0
    }),
    environments: async () => server.environments,
    operations: async () => server.operations
  } as unknown as MlopsClient;
  const model = new Mlops({ client, standby: 'never' });
  const run = jest.fn();
  render(
    <EnvironmentList
      model={model}
      filter={server.filter ?? ''}
      trans={trans}
      run={run}
    />
  );
  await act(async () => {
    await model.engine.refresh();
    await model.environments.refresh();
    await model.operations.refresh();
  });
  return { model, run };
}

describe('EnvironmentList', () => {
  it('offers to build the first one', async () => {
    const { run, model } = await show({ environments: [], operations: [] });
    fireEvent.click(
      screen.getByRole('button', { name: 'Build your first environment' })
    );
    expect(run).toHaveBeenCalledWith(CommandIDs.newEnvironment);
    model.dispose();
  });

  it('opens a notebook only on what is built', async () => {
    const { run, model } = await show({
      environments: [environment('ready', 2), environment('empty', 0)],
      operations: []
    });
    fireEvent.click(
      screen.getByRole('button', { name: 'New notebook: ready' })
    );
    expect(run).toHaveBeenCalledWith(CommandIDs.newNotebook, { name: 'ready' });
    const button = screen.getByRole('button', { name: 'New notebook: empty' });
    expect((button as HTMLButtonElement).disabled).toBe(true);
    model.dispose();
  });

  it('shows a first build while it runs, and why it failed', async () => {
    const { model } = await show({
      environments: [environment('survey', 0)],
      operations: [
        build('churn', {}),
        build('survey', {
          state: 'failed',
          error: { code: 'unsatisfiable', message: 'haven needs R.', hint: '' }
        })
      ]
    });
    expect(screen.getByText('python · installing lightgbm')).toBeTruthy();
    expect(screen.getByRole('progressbar', { name: 'churn' })).toBeTruthy();
    expect(screen.getByText('haven needs R.')).toBeTruthy();
    model.dispose();
  });

  it('says what a build changed, of the revision that is active', async () => {
    const changes = { added: [], removed: [], patched: [], changed: [] };
    const result = { previous: 1, revision: 2, summary: '1 changed', changes };
    const { model } = await show({
      environments: [environment('child', 2), environment('strict', 1)],
      operations: [
        build('child', { state: 'succeeded', result }),
        build('strict', {
          state: 'failed',
          result,
          error: {
            code: 'smoke_failed',
            message: 'Code cell 2 failed. Revision 1 stays active.',
            hint: ''
          }
        })
      ]
    });
    expect(screen.getAllByText('Since r1: 1 changed')).toHaveLength(1);
    expect(screen.getByText(/^Code cell 2 failed/)).toBeTruthy();
    model.dispose();
  });

  it('shows nothing of builds whose environment is gone', async () => {
    const { model } = await show({
      environments: [],
      operations: [
        build('stopped', { state: 'cancelled' }),
        build('deleted', { state: 'failed' })
      ]
    });
    expect(screen.queryByRole('listitem')).toBeNull();
    expect(
      screen.getByRole('button', { name: 'Build your first environment' })
    ).toBeTruthy();
    model.dispose();
  });

  it('filters by name', async () => {
    const { model } = await show({
      environments: [environment('alpha', 1), environment('beta', 1)],
      operations: [],
      filter: 'alp'
    });
    expect(screen.queryByText('alpha')).toBeTruthy();
    expect(screen.queryByText('beta')).toBeNull();
    model.dispose();
  });
});
