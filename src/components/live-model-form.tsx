import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { LiveModels } from '../api/nouns';
import { Field } from './field';

/** Which variables of a notebook are exported, and as what. */
export interface ILiveChoice {
  model: string;
  sample: string;
  name: string;
}

/** The likeliest choice: what was made last, a model rather than a function. */
export function likeliest(found: LiveModels): ILiveChoice {
  const fitting = found.models.filter(({ name }) => samplesOf(found, name)[0]);
  const last = [...fitting].reverse();
  const model = last.find(({ kind }) => kind !== 'function') ?? last[0];
  return model
    ? chosen(found, model.name)
    : { model: '', sample: '', name: '' };
}

/** The variables of a live kernel that can be exported as a model. */
export function LiveModelForm(props: {
  found: LiveModels;
  trans: TranslationBundle;
  onChange: (choice: ILiveChoice) => void;
}): React.ReactElement {
  const { found, trans, onChange } = props;
  const [choice, setChoice] = React.useState(() => likeliest(found));
  const change = (next: ILiveChoice) => {
    setChoice(next);
    onChange(next);
  };
  const samples = samplesOf(found, choice.model);
  if (!found.models.length) {
    return (
      <p>
        {trans.__(
          'No variable of this notebook is a fitted model. Run the cells that make one, or choose files of the project.'
        )}
      </p>
    );
  }
  return (
    <div className="jp-MLOpsForm-fields jp-MLOpsLiveModel">
      <fieldset>
        <legend>{trans.__('Model')}</legend>
        {found.models.map(model => (
          <label key={model.name} className="jp-MLOpsLiveModel-row">
            <input
              type="radio"
              name="model"
              checked={model.name === choice.model}
              onChange={() => change(chosen(found, model.name))}
            />
            <code>{model.name}</code>
            <span>{model.description}</span>
          </label>
        ))}
      </fieldset>
      <Field
        label={trans.__('Sample')}
        help={samples.find(({ name }) => name === choice.sample)?.why}
        error={
          samples.length
            ? undefined
            : trans.__(
                'No variable of this notebook can be a request to %1.',
                choice.model
              )
        }
      >
        {(id, by) => (
          <HTMLSelect
            id={id}
            aria-describedby={by}
            value={choice.sample}
            onChange={event =>
              change({ ...choice, sample: event.target.value })
            }
          >
            {samples.map(({ name, description }) => (
              <option key={name} value={name}>
                {`${name} (${description})`}
              </option>
            ))}
          </HTMLSelect>
        )}
      </Field>
      <Field
        label={trans.__('Name')}
        help={trans.__(
          'Of the model, and of its folder below exported/: lower-case letters, digits and hyphens.'
        )}
      >
        {(id, by) => (
          <input
            id={id}
            aria-describedby={by}
            className="jp-mod-styled"
            value={choice.name}
            onChange={event => change({ ...choice, name: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}

function chosen(found: LiveModels, model: string): ILiveChoice {
  return {
    model,
    sample: samplesOf(found, model).slice(-1)[0]?.name ?? '',
    name: model
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
  };
}

function samplesOf(found: LiveModels, model: string) {
  return found.samples
    .filter(sample => model in sample.fits)
    .map(sample => ({ ...sample, why: sentence(sample.fits[model]) }));
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
