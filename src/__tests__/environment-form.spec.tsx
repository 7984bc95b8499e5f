import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import { EnvironmentForm } from '../components/environment-form';
import { Mlops } from '../models/mlops';

const trans = nullTranslator.load('jupyter_mlops');

describe('EnvironmentForm', () => {
  it('says beside a folded field what is wrong, and builds what is right', async () => {
    const base = { name: 'debian', origin: 'debian bookworm', size: 1 };
    const createEnvironment = jest.fn(async ({ spec }) => ({
      id: 'build-1',
      kind: 'build',
      subject: spec.name,
      state: 'queued'
    }));
    const client = {
      bases: async () => [base],
      environments: async () => [],
      createEnvironment
    } as unknown as MlopsClient;
    const model = new Mlops({ client, standby: 'never' });
    const onBuilding = jest.fn();
    await act(async () => model.bases.refresh());
    const { container } = render(
      <EnvironmentForm
        model={model}
        environment={null}
        begin={{ name: 'churn', apt: 'libgomp1' }}
        trans={trans}
        pickFile={async () => null}
        onNewBase={jest.fn()}
        onBuilding={onBuilding}
      />
    );
    const details = container.querySelector('details')!;
    const build = screen.getByRole('button', { name: 'Build revision 1' });
    const pids = screen.getByLabelText('Processes and threads');
    fireEvent.change(pids, { target: { value: 'many' } });
    expect(details.open).toBe(false);
    await act(async () => {
      fireEvent.click(build);
    });
    expect(details.open).toBe(true);
    expect(document.activeElement).toBe(pids);
    expect(pids.getAttribute('aria-invalid')).toBe('true');
    expect(screen.getByText('Write a whole number, such as 4096.').id).toBe(
      pids.getAttribute('aria-describedby')
    );
    expect(createEnvironment).not.toHaveBeenCalled();

    fireEvent.change(pids, { target: { value: '100' } });
    fireEvent.change(screen.getByLabelText('R packages'), {
      target: { value: 'data.table' }
    });
    await act(async () => {
      fireEvent.click(build);
    });
    const { spec } = createEnvironment.mock.calls[0][0];
    expect(spec.resources.pids).toBe(100);
    expect(spec.r).toEqual(['data.table']);
    expect(spec.apt).toEqual(['libgomp1']);
    expect(onBuilding).toHaveBeenCalledWith(
      'build-1',
      expect.objectContaining({ name: 'churn', r: 'data.table' })
    );
    model.dispose();
  });
});
