import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { Environment } from '../api/nouns';
import {
  draftOf,
  emptyDraft,
  IEnvironmentDraft,
  problemsOf,
  specOf,
  withImported
} from '../models/environment-draft';
import type { IMlops } from '../tokens';
import {
  BaseField,
  DraftField,
  LimitFields,
  MoreFields
} from './environment-fields';
import { explain } from './environment-problems';
import { EnvironmentSummary } from './environment-summary';
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

/** The fields that are not folded away. */
const ALWAYS_SHOWN = ['name', 'base', 'python', 'apt', 'r'];

/** Make or change an environment, and build it. */
export function EnvironmentForm(props: {
  model: IMlops;
  /** The environment to change; a new one is made without. */
  environment: Environment | null;
  /** What to begin with, instead of the environment or of nothing. */
  begin: Partial<IEnvironmentDraft>;
  trans: TranslationBundle;
  /** Let the user choose a file to import. */
  pickFile: () => Promise<string | null>;
  /** A base image is to be made of a Dockerfile. */
  onNewBase: () => void;
  /** The build was started. */
  onBuilding: (operation: string, draft: IEnvironmentDraft) => void;
}): React.ReactElement {
  const { model, environment, trans, pickFile, onNewBase, onBuilding } = props;
  useChanges(model.bases, model.environments, model.operations);
  const bases = model.bases.items;
  const [draft, setDraft] = React.useState<IEnvironmentDraft>(() => ({
    ...(environment
      ? draftOf(environment.spec)
      : emptyDraft(bases[0]?.name ?? '')),
    ...props.begin
  }));
  /** How often it was sent, or tried to be. */
  const [tries, setTries] = React.useState(0);
  const [more, setMore] = React.useState(false);
  const form = React.useRef<HTMLFormElement>(null);
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

  React.useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [tries]);

  const errors = tries ? explain(problemsOf(draft), trans) : {};
  const change = (part: Partial<IEnvironmentDraft>) =>
    setDraft(old => ({ ...old, ...part }));
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    setTries(tries + 1);
    const wrong = Object.keys(problemsOf(draft));
    if (wrong.length) {
      // A field that is wrong is seen.
      setMore(more || wrong.some(key => !ALWAYS_SHOWN.includes(key)));
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
      onBuilding(operation.id, draft);
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
  const state = { draft, errors, change };
  return (
    <form
      ref={form}
      className="jp-MLOpsForm jp-MLOpsPage"
      onSubmit={submit}
      noValidate
    >
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
          <DraftField
            state={state}
            name="name"
            label={trans.__('Name')}
            help={
              environment
                ? trans.__('An environment keeps its name.')
                : trans.__('Lower-case letters, digits and hyphens.')
            }
            disabled={!!environment}
          />
          <DraftField
            state={state}
            name="description"
            label={trans.__('Description')}
          />
          <BaseField
            state={state}
            bases={bases}
            environments={others}
            trans={trans}
          />
          <FirstBase model={model} trans={trans} />
          <div className="jp-MLOpsForm-import">
            <Button type="button" small minimal onClick={onNewBase}>
              {trans.__('Base from a Dockerfile…')}
            </Button>
          </div>
          <DraftField
            state={state}
            name="python"
            label={trans.__('Python packages')}
            help={trans.__(
              'One per line, as in requirements.txt: pandas>=2, scikit-learn==1.7.*'
            )}
            rows={6}
          />
          <ImportPackages
            client={model.client}
            trans={trans}
            pickFile={pickFile}
            onImported={(found, before) =>
              setDraft(old => withImported(old, found, before))
            }
          />
          <DraftField
            state={state}
            name="apt"
            label={trans.__('System packages')}
            help={trans.__('Debian packages, one per line: libgomp1')}
            rows={2}
          />
          <DraftField
            state={state}
            name="r"
            label={trans.__('R packages')}
            help={trans.__(
              'One per line: data.table. With any of them, notebooks can be in R.'
            )}
            rows={2}
          />
          <details
            open={more}
            onToggle={event => setMore(event.currentTarget.open)}
          >
            <summary>
              {trans.__('More: variables, secrets, setup script, date, limits')}
            </summary>
            <MoreFields state={state} trans={trans} />
            <LimitFields state={state} trans={trans} />
          </details>
        </div>
        <aside
          className="jp-MLOpsForm-summary"
          aria-label={trans.__('Summary')}
        >
          <EnvironmentSummary draft={draft} trans={trans} />
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
