import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import { ImportPackages } from '../components/import-packages';

const trans = nullTranslator.load('jupyter_mlops');

function show(importPackages: jest.Mock, path: string | null) {
  const onImported = jest.fn();
  render(
    <ImportPackages
      client={{ importPackages } as unknown as MlopsClient}
      trans={trans}
      pickFile={async () => path}
      onImported={onImported}
    />
  );
  return onImported;
}

async function click(name: string): Promise<void> {
  await act(async () => {
    fireEvent.click(screen.getByText(name));
  });
}

describe('importing packages', () => {
  it('imports a file again with the extras that are chosen', async () => {
    const first = {
      source: 'pyproject.toml',
      python: ['pandas'],
      extras: ['plot'],
      groups: ['dev'],
      left_out: [{ name: 'own', reason: 'It is a folder.' }]
    };
    const second = { ...first, python: ['pandas', 'matplotlib'] };
    const server = jest
      .fn()
      .mockResolvedValueOnce(first)
      .mockResolvedValueOnce(second);
    const onImported = show(server, 'project/pyproject.toml');
    await click('Import file…');
    expect(onImported).toHaveBeenLastCalledWith(first, null);
    expect(
      screen.getByLabelText('Not taken over from pyproject.toml:').textContent
    ).toContain('It is a folder.');
    await click('extra plot');
    expect(server).toHaveBeenLastCalledWith({
      path: 'project/pyproject.toml',
      extras: ['plot'],
      groups: []
    });
    expect(onImported).toHaveBeenLastCalledWith(second, first);
  });

  it('asks for nothing when no file was chosen, and tells what is wrong', async () => {
    const server = jest
      .fn()
      .mockRejectedValue(new MlopsError('It has no name.', 'invalid'));
    const onImported = show(server, null);
    await click('Import file…');
    expect(server).not.toHaveBeenCalled();
    await click('Capture the local environment');
    expect(server).toHaveBeenCalledWith({ path: '', extras: [], groups: [] });
    expect(screen.getByText('It has no name.')).not.toBeNull();
    expect(onImported).not.toHaveBeenCalled();
  });
});
