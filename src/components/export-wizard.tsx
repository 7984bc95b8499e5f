import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { ExportModel, ExportStep, STEPS } from '../models/export';
import type { IMlops } from '../tokens';
import { Checks } from './checks';
import { DeploymentConsole } from './deployment-console';
import { ModelStep } from './export-model-step';
import { TargetStep } from './export-target-step';
import { useChanges } from './list';
import { Problem } from './problem';
import { OperationProgress } from './progress';

/** From a snapshot to a running model, one page a step. */
export function ExportWizard(props: {
  model: ExportModel;
  mlops: IMlops;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, mlops, trans, run } = props;
  useChanges(model, mlops.operations);
  const titles: Record<ExportStep, string> = {
    model: trans.__('Model'),
    check: trans.__('Check'),
    target: trans.__('Target'),
    review: trans.__('Review'),
    done:
      model.deployment?.state === 'written'
        ? trans.__('Written')
        : trans.__('Running')
  };
  const operation = model.working
    ? mlops.operations.find(model.working)
    : undefined;
  const busy = model.working !== null;
  return (
    <div className="jp-MLOpsExport jp-MLOpsPage">
      <h2>{trans.__('Export a model')}</h2>
      <ol className="jp-MLOpsExport-steps" aria-label={trans.__('Steps')}>
        {STEPS.map(step => (
          <li
            key={step}
            aria-current={step === model.step ? 'step' : undefined}
          >
            {titles[step]}
          </li>
        ))}
      </ol>
      <Page model={model} mlops={mlops} trans={trans} run={run} />
      {operation && (
        <>
          <OperationProgress operation={operation} trans={trans} />
          <Button
            small
            minimal
            onClick={() =>
              run(CommandIDs.cancelOperation, { id: operation.id })
            }
          >
            {trans.__('Cancel')}
          </Button>
          <Button
            small
            minimal
            onClick={() => run(CommandIDs.showOperation, { id: operation.id })}
          >
            {trans.__('Log')}
          </Button>
        </>
      )}
      {model.error && <Problem error={model.error} />}
      <Buttons model={model} busy={busy} trans={trans} />
    </div>
  );
}

/** What is said of a package before it leaves. */
function Release(props: {
  model: ExportModel;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, trans, run } = props;
  const id = model.package?.id ?? '';
  const approvals = model.package?.approvals ?? [];
  return (
    <p>
      {approvals.length > 0 &&
        trans.__('Approved by %1.', approvals.map(a => a.by).join(', ')) + ' '}
      <Button
        small
        minimal
        title={trans.__('Record that you approve it for deployment')}
        disabled={model.working !== null}
        onClick={() => void model.approve()}
      >
        {trans.__('Approve')}
      </Button>
      <Button
        small
        minimal
        title={trans.__('Write what is recorded of the model into a new file')}
        onClick={() => run(CommandIDs.modelCard, { id })}
      >
        {trans.__('Model card')}
      </Button>
    </p>
  );
}

function Page(props: {
  model: ExportModel;
  mlops: IMlops;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { model, mlops, trans, run } = props;
  switch (model.step) {
    case 'model':
      return <ModelStep model={model} trans={trans} />;
    case 'check':
      return model.package?.report ? (
        <>
          <Checks report={model.package.report} trans={trans} />
          <Release model={model} trans={trans} run={run} />
        </>
      ) : (
        <p>
          {trans.__(
            'The package is built, then run as SageMaker would run it: no network, read-only, its answer compared with your notebook’s.'
          )}
        </p>
      );
    case 'target':
      return <TargetStep model={model} trans={trans} />;
    case 'review':
      return (
        <section aria-label={trans.__('What will be created')}>
          <h3>{trans.__('What will be created')}</h3>
          <ol className="jp-MLOpsExport-plan">
            {(model.plan?.steps ?? []).map(step => (
              <li key={step}>{step}</li>
            ))}
          </ol>
          {model.plan?.cost && <p>{model.plan.cost}</p>}
        </section>
      );
    case 'done':
      return model.deployment ? (
        <DeploymentConsole
          deployment={model.deployment}
          mlops={mlops}
          logs={false}
          trans={trans}
        />
      ) : (
        <p>{trans.__('Loading…')}</p>
      );
  }
}

function Buttons(props: {
  model: ExportModel;
  busy: boolean;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { model, busy, trans } = props;
  let next: [string, () => void, boolean] | null = null;
  switch (model.step) {
    case 'model':
      next = [
        trans.__('Build and check'),
        () => void model.check(),
        model.complete
      ];
      break;
    case 'check': {
      const report = model.package?.report;
      next = [
        trans.__('Next'),
        () => model.next(),
        !!report && report.checks.every(check => check.passed)
      ];
      break;
    }
    case 'target':
      next = [
        trans.__('Review'),
        () => void model.review(),
        !!(model.target && model.deploymentName)
      ];
      break;
    case 'review':
      next = [trans.__('Deploy'), () => void model.deploy(), true];
      break;
    case 'done':
      return null;
  }
  const [label, onClick, ready] = next;
  return (
    <div className="jp-MLOpsExport-buttons">
      {model.step !== 'model' && (
        <Button
          className="jp-mod-styled jp-mod-reject"
          disabled={busy}
          onClick={() => model.back()}
        >
          {trans.__('Back')}
        </Button>
      )}
      <Button
        className="jp-mod-styled jp-mod-accept"
        disabled={busy || !ready}
        onClick={onClick}
      >
        {label}
      </Button>
    </div>
  );
}
