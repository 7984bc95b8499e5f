import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { Environment } from '../api/nouns';
import { formatBytes } from '../format';
import {
  DraftErrors,
  draftOf,
  emptyDraft,
  IEnvironmentDraft,
  lines,
  problemsOf,
  specOf,
  withImported
} from '../models/environment-draft';
import type { IMlops } from '../tokens';
import { Field } from './field';
import { FirstBase } from './first-base';
import { ImportPackages } from './import-packages';
import { useChanges } from './list';
import { Problem } from './problem';

/** Two starting points for who has none. */
const EXAMPLES: Record<string, Partial<IEnvironmentDraft>> = {
  'data-science': {
    name: 'data-science',
    description: 'Tables, models and plots',
    python: 'pandas\nscikit-learn\nmatplotlib'
  },
  minimal: {
    name: 'minimal',
    description: 'Python and nothing else'
  }
};

/** Make or change an environment, and build it. */
export function EnvironmentForm(props: {
  model: IMlops;
  /** The environment to change; a new one is made without. */
  environment: Environment | null;
  /** The name to begin with, for a new one. */
  name: string;
  trans: TranslationBundle;
  /** Let the user choose a file to import. */
  pickFile: () => Promise<string | null>;
  /** The build was started. */
  onBuilding: (operation: string, name: string) => void;
}): React.ReactElement {
  const { model, environment, trans, pickFile, onBuilding } = props;
  useChanges(model.bases, model.environments, model.operations);
  const bases = model.bases.items;
  const [draft, setDraft] = React.useState<IEnvironmentDraft>(() =>
    environment
      ? draftOf(environment.spec)
      : { ...emptyDraft(bases[0]?.name ?? ''), name: props.name }
  );
  const [touched, setTouched] = React.useState(false);
  const [failure, setFailure] = React.useState<MlopsError | null>(null);
  const [busy, setBusy] = React.useState(false);
  React.useEffect(() => {
    void model.bases.refresh();
  }, [model]);
  React.useEffect(() => {
    // The first base that appears is what most people want.
    if (!draft.base && bases.length) {
      setDraft(old => ({ ...old, base: bases[0].name }));
    }
  }, [bases, draft.base]);

  const errors = touched ? explain(problemsOf(draft), trans) : {};
  const change = (part: Partial<IEnvironmentDraft>) =>
    setDraft(old => ({ ...old, ...part }));
  const text =
    (key: keyof IEnvironmentDraft) =>
    (
      event: React.ChangeEvent<
        HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement
      >
    ) =>
      change({ [key]: event.target.value } as Partial<IEnvironmentDraft>);

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    setTouched(true);
    if (Object.keys(problemsOf(draft)).length) {
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      const spec = specOf(draft, environment?.spec);
      const operation = environment
        ? await model.client.buildRevision(environment.name, spec)
        : await model.client.createEnvironment({ spec });
      model.operations.track(operation);
      void model.environments.refresh();
      onBuilding(operation.id, draft.name);
    } catch (reason) {
      setFailure(MlopsError.from(reason));
    } finally {
      setBusy(false);
    }
  };

  const others = model.environments.items.filter(
    other => (other.active ?? 0) > 0 && other.name !== environment?.name
  );
  // Somebody may have built a revision since the form was opened.
  const newest =
    model.environments.items.find(other => other.name === environment?.name) ??
    environment;
  const next = (newest?.latest ?? 0) + 1;
  return (
    <form className="jp-MLOpsForm jp-MLOpsPage" onSubmit={submit} noValidate>
      <h2>
        {environment
          ? trans.__('Edit %1', environment.name)
          : trans.__('New environment')}
      </h2>
      {!environment && (
        <p className="jp-MLOpsForm-examples">
          {trans.__('Start from an example:')}{' '}
          {Object.keys(EXAMPLES).map(key => (
            <Button
              key={key}
              type="button"
              small
              minimal
              onClick={() => change(EXAMPLES[key])}
            >
              {key === 'minimal'
                ? trans.__('Minimal')
                : trans.__('Data science')}
            </Button>
          ))}
        </p>
      )}
      <div className="jp-MLOpsForm-columns">
        <div className="jp-MLOpsForm-fields">
          <Field
            label={trans.__('Name')}
            help={
              environment
                ? trans.__('An environment keeps its name.')
                : trans.__('Lower-case letters, digits and hyphens.')
            }
            error={errors.name}
          >
            {(id, by) => (
              <input
                id={id}
                aria-describedby={by}
                aria-invalid={!!errors.name}
                className="jp-mod-styled"
                value={draft.name}
                disabled={!!environment}
                onChange={text('name')}
              />
            )}
          </Field>
          <Field label={trans.__('Description')}>
            {id => (
              <input
                id={id}
                className="jp-mod-styled"
                value={draft.description}
                onChange={text('description')}
              />
            )}
          </Field>
          <Field
            label={trans.__('Base')}
            help={trans.__('What the environment starts from.')}
            error={errors.base}
          >
            {(id, by) => (
              <HTMLSelect
                id={id}
                aria-describedby={by}
                value={draft.base}
                onChange={text('base')}
              >
                {!draft.base && (
                  <option value="">{trans.__('None yet')}</option>
                )}
                {bases.map(base => (
                  <option key={base.name} value={base.name}>
                    {`${base.name} · ${base.origin} · ${formatBytes(base.size ?? 0)}`}
                  </option>
                ))}
                {others.map(other => (
                  <option key={other.name} value={`${other.name}@active`}>
                    {trans.__('%1, as it is when built', other.name)}
                  </option>
                ))}
                {draft.base &&
                  !bases.some(base => base.name === draft.base) &&
                  !others.some(o => `${o.name}@active` === draft.base) && (
                    <option value={draft.base}>{draft.base}</option>
                  )}
              </HTMLSelect>
            )}
          </Field>
          <FirstBase model={model} trans={trans} />
          <Field
            label={trans.__('Python packages')}
            help={trans.__(
              'One per line, as in requirements.txt: pandas>=2, scikit-learn==1.7.*'
            )}
          >
            {(id, by) => (
              <textarea
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                rows={6}
                spellCheck={false}
                value={draft.python}
                onChange={text('python')}
              />
            )}
          </Field>
          <ImportPackages
            client={model.client}
            trans={trans}
            pickFile={pickFile}
            onImported={(found, before) =>
              setDraft(old => withImported(old, found, before))
            }
          />
          <Field
            label={trans.__('System packages')}
            help={trans.__('Debian packages, one per line: libgomp1')}
          >
            {(id, by) => (
              <textarea
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                rows={2}
                spellCheck={false}
                value={draft.apt}
                onChange={text('apt')}
              />
            )}
          </Field>
          <Field
            label={trans.__('R packages')}
            help={trans.__(
              'One per line: data.table. With any of them, notebooks can be in R.'
            )}
          >
            {(id, by) => (
              <textarea
                id={id}
                aria-describedby={by}
                className="jp-mod-styled"
                rows={2}
                spellCheck={false}
                value={draft.r}
                onChange={text('r')}
              />
            )}
          </Field>
          <details>
            <summary>
              {trans.__('More: variables, secrets, setup script, date, limits')}
            </summary>
            <Field
              label={trans.__('Variables')}
              help={trans.__(
                'NAME=value, one per line. Everybody who gets the environment sees them: no secrets.'
              )}
              error={errors.variables}
            >
              {(id, by) => (
                <textarea
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  rows={2}
                  spellCheck={false}
                  value={draft.variables}
                  onChange={text('variables')}
                />
              )}
            </Field>
            <Field
              label={trans.__('Secrets')}
              help={trans.__(
                'Names only, one per line: WANDB_API_KEY. The settings of the server say where their values are.'
              )}
              error={errors.secrets}
            >
              {(id, by) => (
                <textarea
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  rows={2}
                  spellCheck={false}
                  value={draft.secrets}
                  onChange={text('secrets')}
                />
              )}
            </Field>
            <Field
              label={trans.__('Setup script')}
              help={trans.__('A bash script that runs last, as root.')}
            >
              {(id, by) => (
                <textarea
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  rows={3}
                  spellCheck={false}
                  value={draft.setup}
                  onChange={text('setup')}
                />
              )}
            </Field>
            <Field
              label={trans.__('Smoke notebook')}
              help={trans.__(
                'A notebook of yours that must run to its end before a revision becomes active: tests/smoke.ipynb'
              )}
              error={errors.smoke}
            >
              {(id, by) => (
                <input
                  id={id}
                  aria-describedby={by}
                  aria-invalid={!!errors.smoke}
                  className="jp-mod-styled"
                  spellCheck={false}
                  value={draft.smoke}
                  onChange={text('smoke')}
                />
              )}
            </Field>
            <Field
              label={trans.__('Packages as of')}
              help={trans.__(
                'Only what the package index had on that day. Empty: the newest.'
              )}
            >
              {(id, by) => (
                <input
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  type="date"
                  value={draft.date}
                  onChange={text('date')}
                />
              )}
            </Field>
            <Field label={trans.__('Network of its notebooks')}>
              {id => (
                <HTMLSelect
                  id={id}
                  value={draft.network}
                  onChange={text('network')}
                >
                  <option value="outbound">{trans.__('May reach out')}</option>
                  <option value="none">{trans.__('None')}</option>
                </HTMLSelect>
              )}
            </Field>
            <Field
              label={trans.__('Memory limit')}
              help={trans.__('For each notebook, as 4 GiB. Empty: no limit.')}
              error={errors.memory}
            >
              {(id, by) => (
                <input
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  value={draft.memory}
                  onChange={text('memory')}
                />
              )}
            </Field>
            <Field
              label={trans.__('CPU limit')}
              help={trans.__('Cores for each notebook. Empty: no limit.')}
              error={errors.cpus}
            >
              {(id, by) => (
                <input
                  id={id}
                  aria-describedby={by}
                  className="jp-mod-styled"
                  inputMode="decimal"
                  value={draft.cpus}
                  onChange={text('cpus')}
                />
              )}
            </Field>
          </details>
        </div>
        <aside
          className="jp-MLOpsForm-summary"
          aria-label={trans.__('Summary')}
        >
          <h3>{draft.name || trans.__('Unnamed')}</h3>
          <p>{draft.description}</p>
          <ul>
            <li>{trans.__('Base: %1', draft.base || '—')}</li>
            <li>
              {trans._n(
                '%1 Python package asked for',
                '%1 Python packages asked for',
                lines(draft.python).length
              )}
            </li>
            <li>
              {trans._n(
                '%1 system package',
                '%1 system packages',
                lines(draft.apt).length
              )}
            </li>
            {lines(draft.r).length > 0 && (
              <li>
                {trans._n(
                  '%1 R package',
                  '%1 R packages',
                  lines(draft.r).length
                )}
              </li>
            )}
            {draft.date && <li>{trans.__('Packages as of %1', draft.date)}</li>}
            <li>
              {draft.network === 'none'
                ? trans.__('No network in notebooks')
                : trans.__('Notebooks may reach out')}
            </li>
          </ul>
          {failure && <Problem error={failure} />}
          <Button
            type="submit"
            className="jp-mod-styled jp-mod-accept"
            disabled={busy}
          >
            {trans.__('Build revision %1', next)}
          </Button>
        </aside>
      </div>
    </form>
  );
}

function explain(errors: DraftErrors, trans: TranslationBundle): DraftErrors {
  const words: DraftErrors = {
    name: trans.__(
      'Use 1 to 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.'
    ),
    base: trans.__('Choose a base image, or make one first.'),
    variables: trans.__('Write each line as NAME=value.'),
    secrets: trans.__('Write names only, without values.'),
    smoke: trans.__(
      'Write the path of a notebook as the file browser has it, such as tests/smoke.ipynb.'
    ),
    memory: trans.__('Write a size such as 4 GiB or 512 MB.'),
    cpus: trans.__('Write a number of cores, such as 2.')
  };
  const keys = Object.keys(errors) as (keyof IEnvironmentDraft)[];
  return Object.fromEntries(keys.map(key => [key, words[key]]));
}
