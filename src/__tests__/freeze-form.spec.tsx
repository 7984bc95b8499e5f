import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { FreezePreview } from '../api/nouns';
import { FreezeForm } from '../components/freeze-form';

const trans = nullTranslator.load('jupyter_mlops');

const PREVIEW = {
  kernel: 'k',
  environment: 'diabetes',
  revision: 4,
  project: '/home/ada/diabetes',
  drift: {
    added: [
      { ecosystem: 'pypi', name: 'lightgbm', before: '', after: '4.6.0' }
    ],
    removed: [],
    changed: [],
    patched: []
  },
  files: [
    { path: 'train.ipynb', size: 2000, included: true, reason: '' },
    { path: 'data.csv', size: 9000, included: true, reason: '' },
    { path: '.env', size: 10, included: false, reason: 'may hold a secret' }
  ],
  size: 11000,
  cap: 10000
} as unknown as FreezePreview;

describe('FreezeForm', () => {
  it('tells what is taken, what is too much, and what never is', () => {
    const onChange = jest.fn();
    render(
      <FreezeForm
        preview={PREVIEW}
        answer={{ name: 'first', note: '', exclude: [] }}
        trans={trans}
        onChange={onChange}
      />
    );
    expect(screen.getByText('lightgbm')).toBeTruthy();
    expect(screen.getByRole('alert')).toBeTruthy();
    const secret = screen.getByRole('checkbox', { name: /\.env/ });
    expect((secret as HTMLInputElement).disabled).toBe(true);

    fireEvent.click(screen.getByRole('checkbox', { name: /data\.csv/ }));
    expect(onChange).toHaveBeenLastCalledWith({
      name: 'first',
      note: '',
      exclude: ['data.csv']
    });
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByText(/1 file, 2\.0 kB/)).toBeTruthy();
  });
});
