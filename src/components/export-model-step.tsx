import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { type ExportModel, MOST_BATCHED } from '../models/export';
import { Field } from './field';

/** Which file is the model, what answers requests, and with what it is tried. */
export function ModelStep(props: {
  model: ExportModel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { model, trans } = props;
  const { candidates, choice } = model;
  if (!candidates) {
    return <p>{trans.__('Looking through the files of the snapshot…')}</p>;
  }
  // Models in formats that load by themselves need no handler.
  const format = candidates.formats?.[choice.model];
  const missing = [
    !candidates.models.length &&
      trans.__(
        'No model file was found. Save the model into the project, for example with joblib.dump(model, "model.joblib"), and freeze again.'
      ),
    !candidates.handlers.length &&
      !format &&
      trans.__(
        'No handler was found. Add a file inference.py with a function that answers a request, and freeze again.'
      ),
    !candidates.samples.length &&
      trans.__(
        'No sample was found. Save one request as sample.json, and freeze again.'
      )
  ].filter((text): text is string => !!text);
  const functions = candidates.functions?.[choice.handler] ?? [];
  return (
    <div className="jp-MLOpsForm-fields">
      {missing.map(text => (
        <p key={text} className="jp-MLOpsProblem" role="alert">
          {text}
        </p>
      ))}
      <Field
        label={trans.__('Name of the package')}
        help={trans.__('Lower-case letters, digits and hyphens.')}
      >
        {(id, by) => (
          <input
            id={id}
            aria-describedby={by}
            className="jp-mod-styled"
            value={choice.name}
            onChange={event => model.choose({ name: event.target.value })}
          />
        )}
      </Field>
      <Choice
        label={trans.__('Model file')}
        value={choice.model}
        choices={candidates.models}
        onChange={value => model.choose({ model: value })}
      />
      {model.trustedOnly && (
        <p className="jp-MLOpsField-help jp-mod-warn">
          {trans.__(
            'Trusted only: loading this model can run what is in it. Give it only to those who trust its author.'
          )}
        </p>
      )}
      <Choice
        label={trans.__('Handler')}
        help={trans.__('The Python file that answers requests.')}
        value={choice.handler}
        empty={format && trans.__('None: the model’s own predict (%1)', format)}
        choices={candidates.handlers}
        onChange={value => model.choose({ handler: value, function: '' })}
      />
      <Choice
        label={trans.__('Function')}
        help={trans.__(
          'Requests {"data": {…}} become its arguments; or SageMaker’s own model_fn and predict_fn.'
        )}
        value={choice.function}
        empty={trans.__('model_fn, input_fn, predict_fn, output_fn')}
        choices={[...functions]}
        onChange={value => model.choose({ function: value })}
      />
      <Choice
        label={trans.__('Sample request')}
        value={choice.sample}
        choices={candidates.samples}
        onChange={value => model.choose({ sample: value })}
      />
      <Choice
        label={trans.__('The notebook’s own prediction')}
        help={trans.__('The package must answer the sample with the same.')}
        value={choice.expected}
        empty={trans.__('Not recorded')}
        choices={candidates.samples}
        onChange={value => model.choose({ expected: value })}
      />
      <Field
        label={trans.__('Requests in one call')}
        help={trans.__(
          'More than 1: where many ask at the same time, the model predicts their rows together. Each row must be predicted by itself.'
        )}
      >
        {(id, by) => (
          <input
            id={id}
            aria-describedby={by}
            className="jp-mod-styled"
            type="number"
            min={1}
            max={MOST_BATCHED}
            value={choice.batch}
            onChange={event => {
              const asked = Math.trunc(+event.target.value);
              model.choose({
                batch: Math.min(MOST_BATCHED, Math.max(1, asked))
              });
            }}
          />
        )}
      </Field>
    </div>
  );
}

function Choice(props: {
  label: string;
  help?: string;
  value: string;
  choices: ReadonlyArray<string>;
  /** The words for choosing none; without them one must be chosen. */
  empty?: string;
  onChange: (value: string) => void;
}): React.ReactElement {
  const { label, help, value, empty, onChange } = props;
  // What was exported from a notebook may have a name that no model is known by.
  const choices =
    !value || props.choices.includes(value)
      ? props.choices
      : [value, ...props.choices];
  return (
    <Field label={label} help={help}>
      {(id, by) => (
        <HTMLSelect
          id={id}
          aria-describedby={by}
          value={value}
          onChange={event => onChange(event.target.value)}
        >
          {empty !== undefined && <option value="">{empty}</option>}
          {choices.map(choice => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </HTMLSelect>
      )}
    </Field>
  );
}
