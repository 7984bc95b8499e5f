import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import type { Deployment } from '../api/nouns';
import { DeploymentConsole } from '../components/deployment-console';
import { Mlops } from '../models/mlops';

const trans = nullTranslator.load('jupyter_mlops');

const DEPLOYMENT = {
  id: 'd-1',
  name: 'churn',
  state: 'running',
  status: 'InService',
  endpoint: 'http://127.0.0.1:8080/invocations',
  resources: []
} as unknown as Deployment;

function shown(client: object) {
  const model = new Mlops({
    client: client as MlopsClient,
    standby: 'never'
  });
  const view = render(
    <DeploymentConsole
      deployment={DEPLOYMENT}
      mlops={model}
      logs={false}
      trans={trans}
    />
  );
  return { model, ...view };
}

describe('DeploymentConsole', () => {
  it('sends as many requests as asked, and draws how long they took', async () => {
    const invoke = jest.fn(async () => ({
      status: 200,
      body: '[1]',
      content_type: 'application/json',
      seconds: 0.004,
      latencies: {
        requests: 20,
        p50: 0.003,
        p99: 0.02,
        slowest: 0.02,
        histogram: [{ upto: 0.004, count: 20 }]
      }
    }));
    const { model } = shown({ invoke });
    fireEvent.change(screen.getByLabelText('Requests'), {
      target: { value: '20' }
    });
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Invoke' }));
    });
    expect(invoke).toHaveBeenCalledWith('d-1', null, 20);
    expect(screen.getByRole('status').textContent).toBe('Status 200 in 4 ms');
    expect(
      screen.getByRole('img', { name: /^20 requests: p50 / })
    ).toBeTruthy();
    model.dispose();
  });

  it('shows what has become of the deployment', async () => {
    const { model, container } = shown({
      deployments: async () => [{ ...DEPLOYMENT, state: 'stopped', status: '' }]
    });
    const button = screen.getByRole<HTMLButtonElement>('button', {
      name: 'Invoke'
    });
    expect(button.disabled).toBe(false);
    await act(() => model.deployments.refresh());
    expect(container.querySelector('dd')!.textContent).toBe('stopped');
    expect(button.disabled).toBe(true);
    model.dispose();
  });

  it('reads the log while it is wanted, and says why it cannot', async () => {
    jest.useFakeTimers();
    const seen = jest
      .spyOn(HTMLElement.prototype, 'offsetParent', 'get')
      .mockReturnValue(document.body);
    const deploymentLogs = jest
      .fn()
      .mockResolvedValueOnce({ text: 'one' })
      .mockResolvedValueOnce({ text: 'one\ntwo' })
      .mockRejectedValueOnce(new MlopsError('No log.', 'failed'))
      .mockResolvedValue({ text: 'three' });
    const { model, container } = shown({ deploymentLogs });
    const text = () => container.querySelector('pre')!.textContent;
    const later = () => act(() => jest.advanceTimersByTimeAsync(2000));
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Show log' }));
    });
    expect(text()).toBe('one');
    await later();
    expect(text()).toBe('one\ntwo');
    await later();
    expect(screen.getByText('No log.')).toBeTruthy();
    expect(text()).toBe('one\ntwo');
    // Behind another page it waits.
    seen.mockReturnValue(null);
    await later();
    expect(deploymentLogs).toHaveBeenCalledTimes(3);
    seen.mockReturnValue(document.body);
    await later();
    expect(text()).toBe('three');
    await act(async () => {
      fireEvent.click(screen.getByLabelText('Follow'));
    });
    const asked = deploymentLogs.mock.calls.length;
    await later();
    expect(deploymentLogs).toHaveBeenCalledTimes(asked);
    fireEvent.click(screen.getByRole('button', { name: 'Hide log' }));
    expect(container.querySelector('pre')).toBeNull();
    seen.mockRestore();
    jest.useRealTimers();
    model.dispose();
  });
});
