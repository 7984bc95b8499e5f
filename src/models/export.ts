import type { JSONObject } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsError } from '../api/error';
import type {
  Candidates,
  Deployment,
  IInvocation,
  LiveExport,
  ModelPackage,
  Operation,
  Plan,
  TargetInfo
} from '../api/nouns';
import type { IMlops } from '../tokens';

export type ExportStep = 'model' | 'check' | 'target' | 'review' | 'done';

export const STEPS: ExportStep[] = [
  'model',
  'check',
  'target',
  'review',
  'done'
];

/** What the first page asks. */
export interface IModelChoice {
  name: string;
  model: string;
  handler: string;
  /** Empty for the functions of SageMaker's convention. */
  function: string;
  sample: string;
  expected: string;
  /** How many requests the model may get in one call; 1 is one by one. */
  batch: number;
}

/** How long the first request of a batch waits for others. */
const BATCH_WAIT_MS = 2;

/** The largest batch. */
export const MOST_BATCHED = 1024;

/** How the chosen handler is called. */
function handlerKind(choice: IModelChoice): string {
  if (!choice.handler) {
    return 'default';
  }
  if (/\.r$/i.test(choice.handler)) {
    return 'r';
  }
  return choice.function ? 'function' : 'inference';
}

/** One export, from a snapshot to a running deployment. */
export class ExportModel {
  constructor(
    private _mlops: IMlops,
    readonly snapshot: string,
    /** What was written for a model of the notebook; without it files are chosen. */
    readonly live?: LiveExport
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  step: ExportStep = 'model';
  candidates: Candidates | null = null;
  choice: IModelChoice = {
    name: '',
    model: '',
    handler: '',
    function: '',
    sample: '',
    expected: '',
    batch: 1
  };
  package: ModelPackage | null = null;
  targets: TargetInfo[] = [];
  target = '';
  options: JSONObject = {};
  deploymentName = '';
  plan: Plan | null = null;
  deployment: Deployment | null = null;
  invocation: IInvocation | null = null;
  /** What runs now: an operation's id, or the word that it is being asked for. */
  working: string | null = null;
  error: MlopsError | null = null;

  dispose(): void {
    Signal.clearData(this);
  }

  /** Look for files that can be model, handler and sample; take the likeliest. */
  async load(): Promise<void> {
    await this._try(async () => {
      const { client } = this._mlops;
      const [candidates, targets] = await Promise.all([
        client.candidates(this.snapshot),
        client.targets()
      ]);
      this.candidates = candidates;
      this.targets = targets;
      const expected = candidates.samples.find(path =>
        /predict|expected|output/.test(path)
      );
      const known = this._mlops.snapshots.items.find(
        snapshot => snapshot.id === this.snapshot
      );
      this.choice = {
        name: known?.name ?? '',
        model: candidates.models[0] ?? '',
        handler: candidates.handlers[0] ?? '',
        function: '',
        sample:
          candidates.samples.find(path => /sample|input/.test(path)) ??
          candidates.samples.find(path => path !== expected) ??
          '',
        expected: expected ?? '',
        batch: 1
      };
      if (this.live) {
        const { handler, sample, expected } = this.live;
        const model = this.live.model[0];
        const name = model.split('/').slice(-2)[0];
        const called = this.live.function;
        this.choice = {
          name,
          model,
          handler,
          function: called,
          sample,
          expected,
          batch: 1
        };
      }
      this.deploymentName = this.choice.name;
    });
  }

  choose(part: Partial<IModelChoice>): void {
    // Called like its package, until somebody says otherwise.
    if (this.deploymentName === this.choice.name) {
      this.deploymentName = part.name ?? this.deploymentName;
    }
    this.choice = { ...this.choice, ...part };
    this._changed.emit();
  }

  /** Make the package and run the contract check. */
  async check(): Promise<void> {
    this.step = 'check';
    const { client } = this._mlops;
    const { choice } = this;
    await this._try(async () => {
      const made = await this._follow(
        client.createPackage({
          snapshot: this.snapshot,
          name: choice.name,
          model: this._models(),
          handler: {
            kind: handlerKind(choice),
            path: choice.handler,
            function: choice.function
          },
          sample: choice.sample,
          expected: choice.expected,
          content_type: '',
          also: this._otherForms(),
          batching: { size: choice.batch, wait_ms: BATCH_WAIT_MS }
        })
      );
      const id = String(made.result?.package ?? '');
      await this._follow(client.checkPackage(id));
      this.package = await client.package(id);
    });
  }

  /** Say that the package may be deployed, in the name of who is logged in. */
  async approve(): Promise<void> {
    const { client } = this._mlops;
    await this._try(async () => {
      this.package = await client.approvePackage(this.package?.id ?? '');
    });
  }

  /** Whether there is all that a package is made of. */
  get complete(): boolean {
    const { name, model, handler, sample } = this.choice;
    const loads = !!handler || !!this.candidates?.formats?.[model];
    return !!(name && model && loads && sample);
  }

  async chooseTarget(name: string): Promise<void> {
    this.target = name;
    this.options = {};
    this._changed.emit();
  }

  setOptions(options: JSONObject): void {
    this.options = options;
  }

  setDeploymentName(name: string): void {
    this.deploymentName = name;
    this._changed.emit();
  }

  /** Ask what will be created. */
  async review(): Promise<void> {
    await this._try(async () => {
      this.plan = await this._mlops.client.plan(this._request());
      this.step = 'review';
    });
  }

  async deploy(): Promise<void> {
    await this._try(async () => {
      const { client } = this._mlops;
      const done = await this._follow(client.deploy(this._request()));
      this.deployment = await client.deployment(
        String(done.result?.deployment ?? '')
      );
      this.step = 'done';
    });
  }

  back(): void {
    const index = STEPS.indexOf(this.step);
    this.step = STEPS[Math.max(0, index - 1)];
    this.error = null;
    this._changed.emit();
  }

  next(): void {
    const index = STEPS.indexOf(this.step);
    this.step = STEPS[Math.min(STEPS.length - 1, index + 1)];
    this.error = null;
    this._changed.emit();
  }

  /** Loading the model runs what is in it: for those alone who trust its author. */
  get trustedOnly(): boolean {
    const trust = this.candidates?.trust ?? {};
    return (
      this._models().some(path => !!trust[path]) ||
      (!!this.live?.trusted_only && this.choice.model === this.live.model[0])
    );
  }

  /** The sample in other content types, as the export of a variable wrote it. */
  private _otherForms(): string[] {
    const { live, choice } = this;
    return live?.sample === choice.sample
      ? live.samples.filter(path => path !== choice.sample)
      : [];
  }

  private _models(): string[] {
    const { live, choice } = this;
    return live?.model[0] === choice.model ? live.model : [choice.model];
  }

  private _request() {
    return {
      package: this.package?.id ?? '',
      target: this.target,
      name: this.deploymentName,
      options: this.options
    };
  }

  private async _follow(started: Promise<Operation>): Promise<Operation> {
    const shown = started.then(operation => {
      this.working = operation.id;
      this._changed.emit();
      return operation;
    });
    return this._mlops.operations.follow(shown);
  }

  private async _try(work: () => Promise<void>): Promise<void> {
    this.error = null;
    this.working = '';
    this._changed.emit();
    try {
      await work();
    } catch (reason) {
      this.error = MlopsError.from(reason);
    }
    this.working = null;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
}
