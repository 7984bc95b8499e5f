import type { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent } from '@jupyterlab/ui-components';
import type { JSONObject } from '@lumino/coreutils';
import type { ValidatorType } from '@rjsf/utils';
import * as React from 'react';

import type { TargetInfo } from '../api/nouns';
import type { ExportModel } from '../models/export';
import { Field } from './field';

/** Where the model shall run, and how: the form is the target's own. */
export function TargetStep(props: {
  model: ExportModel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { model, trans } = props;
  const chosen = model.targets.find(({ name }) => name === model.target);
  return (
    <div>
      <div
        className="jp-MLOpsTargets"
        role="radiogroup"
        aria-label={trans.__('Targets')}
      >
        {model.targets.map(target => (
          <TargetCard
            key={target.name}
            target={target}
            checked={target.name === model.target}
            onChoose={() => void model.chooseTarget(target.name)}
          />
        ))}
      </div>
      {chosen && (
        <>
          <Field
            label={trans.__('Name of the deployment')}
            help={trans.__('Lower-case letters, digits and hyphens.')}
          >
            {(id, by) => (
              <input
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                value={model.deploymentName}
                onChange={event => model.setDeploymentName(event.target.value)}
              />
            )}
          </Field>
          <TargetOptions key={chosen.name} target={chosen} model={model} />
        </>
      )}
    </div>
  );
}

function TargetCard(props: {
  target: TargetInfo;
  checked: boolean;
  onChoose: () => void;
}): React.ReactElement {
  const { target, checked, onChoose } = props;
  const problems = target.problems ?? [];
  return (
    <label
      className={`jp-MLOpsTargets-card${checked ? ' jp-mod-checked' : ''}`}
    >
      <input
        type="radio"
        name="mlops-target"
        value={target.name}
        checked={checked}
        onChange={onChoose}
      />
      <span className="jp-MLOpsTargets-title">{target.title}</span>
      <span className="jp-MLOpsTargets-text">{target.description}</span>
      {problems.map(problem => (
        <span key={problem} className="jp-MLOpsTargets-problem">
          {problem}
        </span>
      ))}
    </label>
  );
}

function TargetOptions(props: {
  target: TargetInfo;
  model: ExportModel;
}): React.ReactElement {
  const { target, model } = props;
  const [validator, setValidator] = React.useState<ValidatorType | null>(null);
  const [data, setData] = React.useState(model.options);
  React.useEffect(() => {
    // Only this page needs the validator, and it is large.
    void import('@rjsf/validator-ajv8').then(module =>
      setValidator(() => module.default)
    );
  }, []);
  const node = React.useRef<HTMLDivElement>(null);
  const prefix = `mlops-${target.name}`;
  React.useEffect(() => {
    // Lab's form shows titles, but does not join them to their controls.
    const properties = (target.options.properties ?? {}) as Record<
      string,
      { title?: string }
    >;
    for (const [key, { title }] of Object.entries(properties)) {
      node.current
        ?.querySelector(`[id="${prefix}_${key}"]`)
        ?.setAttribute('aria-label', title ?? key);
    }
  });
  if (!validator) {
    return <></>;
  }
  return (
    <div className="jp-MLOpsTargets-options" ref={node}>
      <FormComponent
        idPrefix={prefix}
        noHtml5Validate
        schema={target.options as any}
        formData={data}
        validator={validator}
        compact
        onChange={event => {
          const options = (event.formData ?? {}) as JSONObject;
          setData(options);
          model.setOptions(options);
        }}
      />
    </div>
  );
}
