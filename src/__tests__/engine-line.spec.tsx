import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import type { IEngine } from '../api/nouns';
import { EngineLine } from '../components/engine-line';
import { Mlops } from '../models/mlops';

const trans = nullTranslator.load('jupyter_mlops');

describe('EngineLine', () => {
  it('says what to install where there is no engine, and looks again', async () => {
    let engine = {
      capabilities: null,
      problem: {
        message: 'No container engine answers.',
        hint: 'Run: apt-get install podman'
      },
      containers: 0,
      version: '1'
    } as IEngine;
    const client = {
      engine: async () => engine
    } as unknown as MlopsClient;
    const model = new Mlops({ client, standby: 'never' });
    render(<EngineLine model={model} trans={trans} run={jest.fn()} />);
    await act(async () => model.engine.refresh());
    expect(screen.getByRole('alert').textContent).toContain(
      'Run: apt-get install podman'
    );
    engine = {
      ...engine,
      problem: null,
      capabilities: { name: 'podman', title: 'Podman 5.0' } as any,
      containers: 1
    };
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Check again' }));
    });
    expect(screen.getByRole('status').textContent).toBe(
      'Podman 5.0 · 1 container'
    );
    model.dispose();
  });
});
