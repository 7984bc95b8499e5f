import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { LiveModels } from '../api/nouns';
import { LiveModelForm, likeliest } from '../components/live-model-form';

const trans = nullTranslator.load('jupyter_mlops');

const FOUND: LiveModels = {
  models: [
    { name: 'base_line', kind: 'fitted', description: 'Ridge', features: [] },
    {
      name: 'Best_Model',
      kind: 'fitted',
      description: 'Pipeline',
      features: []
    },
    { name: 'alone', kind: 'fitted', description: 'SVC', features: [] },
    {
      name: 'score',
      kind: 'function',
      description: 'function(age)',
      features: []
    }
  ],
  samples: [
    {
      name: 'X',
      description: 'DataFrame, 442 by 10',
      fits: {
        base_line: 'it fits',
        Best_Model: 'it has the columns of the fit'
      }
    },
    {
      name: 'rows',
      description: 'ndarray, 5 by 10',
      fits: { base_line: 'so do rows' }
    },
    { name: 'arguments', description: 'dict of 1', fits: { score: 'as named' } }
  ]
};

describe('what is exported of a notebook', () => {
  it('is the last model that has a sample, unless the user says otherwise', () => {
    expect(likeliest(FOUND)).toEqual({
      model: 'Best_Model',
      sample: 'X',
      name: 'best-model'
    });
    expect(likeliest({ models: [], samples: [] }).model).toBe('');
  });

  it('says why a sample fits, and offers those alone that do', () => {
    const changed = jest.fn();
    render(<LiveModelForm found={FOUND} trans={trans} onChange={changed} />);
    expect(screen.getByText('It has the columns of the fit.')).toBeTruthy();
    fireEvent.click(screen.getByLabelText(/base_line/));
    expect(changed).toHaveBeenLastCalledWith({
      model: 'base_line',
      sample: 'rows',
      name: 'base-line'
    });
    const samples = () =>
      screen.getAllByRole('option').map(option => option.textContent);
    expect(samples()).toEqual([
      'X (DataFrame, 442 by 10)',
      'rows (ndarray, 5 by 10)'
    ]);
    expect(screen.getByText('So do rows.')).toBeTruthy();
    fireEvent.change(screen.getByRole('combobox'), { target: { value: 'X' } });
    expect(screen.getByText('It fits.')).toBeTruthy();
    fireEvent.click(screen.getByLabelText(/alone/));
    expect(
      screen.getByText(
        'No variable of this notebook can be a request to alone.'
      )
    ).toBeTruthy();
  });
});
