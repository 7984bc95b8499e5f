import type { Event, Kernel, KernelSpec } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsClient } from '../api/client';
import type {
  Base,
  Deployment,
  Environment,
  IEngine,
  KernelStatus,
  Operation,
  SecretRequest,
  Snapshot
} from '../api/nouns';
import type { IKernelEvent, IMlops } from '../tokens';
import { CatalogueModel } from './catalogue';
import { Collection } from './collection';
import { OperationsModel } from './operations';

const EVENTS = 'https://jupyter-mlops.dev/events/';

/**
 * Everything the page knows of the server's nouns.
 *
 * An event is a hint that makes us look; what we then get is the truth. A slow poll covers
 * lost events, a quick one runs only while there is work under way.
 */
export class Mlops implements IMlops, IDisposable {
  constructor(options: Mlops.IOptions) {
    this.client = options.client;
    this._specs = options.kernelspecs ?? null;
    this.engine = new Collection<IEngine>(async () => [
      await this.client.engine()
    ]);
    this.bases = new Collection<Base>(() => this.client.bases());
    this.environments = new Collection<Environment>(() =>
      this.client.environments()
    );
    this.snapshots = new Collection<Snapshot>(() => this.client.snapshots());
    this.catalogue = new CatalogueModel(this.client);
    this.deployments = new Collection<Deployment>(() =>
      this.client.deployments()
    );
    this.kernels = new Collection<KernelStatus>(() => this.client.kernels());
    this.secrets = new Collection<SecretRequest>(() =>
      this.client.secretRequests()
    );
    this.operations = new OperationsModel(this.client);
    this.operations.ended.connect(this._onEnded, this);
    this.operations.changed.connect(this._onOperations, this);
    options.events?.stream.connect(this._onEvent, this);
    options.kernels?.runningChanged.connect(this._onKernels, this);
    this._slow = new Poll({
      name: 'jupyter-mlops:all',
      factory: () => this.refresh(),
      frequency: { interval: 30_000, backoff: true, max: 300_000 },
      standby: options.standby ?? 'when-hidden',
      auto: false
    });
    this._quick = new Poll({
      name: 'jupyter-mlops:operations',
      factory: () => this.operations.refresh(),
      frequency: { interval: 1_000, backoff: true, max: 10_000 },
      standby: options.standby ?? 'when-hidden',
      auto: false
    });
  }

  readonly client: MlopsClient;
  readonly engine: Collection<IEngine>;
  readonly bases: Collection<Base>;
  readonly environments: Collection<Environment>;
  readonly snapshots: Collection<Snapshot>;
  readonly catalogue: CatalogueModel;
  readonly kernels: Collection<KernelStatus>;
  readonly secrets: Collection<SecretRequest>;
  readonly deployments: Collection<Deployment>;
  readonly operations: OperationsModel;

  /** Emitted when something happened to a kernel's container. */
  get kernelEvent(): ISignal<this, IKernelEvent> {
    return this._kernelEvent;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._slow.dispose();
    this._quick.dispose();
    for (const part of [...this._collections(), this.kernels, this.secrets]) {
      part.dispose();
    }
    Signal.clearData(this);
  }

  /** Begin to look; nothing is asked of the server before. */
  start(): void {
    if (!this._started) {
      this._started = true;
      void this._slow.start();
      void this.client
        .settings()
        .then(({ project }) => {
          this.catalogue.project = this.catalogue.project || project;
        })
        .catch(() => {
          // The catalogue then waits for the user to name a project.
        });
    }
  }

  async refresh(): Promise<void> {
    await Promise.all(this._collections().map(part => part.refresh()));
  }

  /** The kernel names that launcher and picker show, after they changed. */
  async refreshKernelSpecs(): Promise<void> {
    await this._specs?.refreshSpecs();
  }

  private _collections(): Collection<unknown>[] {
    return [
      this.engine,
      this.bases,
      this.environments,
      this.snapshots,
      this.catalogue,
      this.deployments,
      this.operations
    ] as Collection<unknown>[];
  }

  private _onEvent(_: unknown, event: Event.Emission): void {
    const schema = event.schema_id;
    if (!schema?.startsWith(EVENTS)) {
      return;
    }
    const noun = schema.slice(EVENTS.length).split('/')[0];
    if (noun === 'operation') {
      void this.operations.refresh();
    } else if (noun === 'environments') {
      void this.environments.refresh();
      void this.refreshKernelSpecs();
    } else if (noun === 'secrets') {
      void this.secrets.refresh();
    } else if (noun === 'kernel') {
      this._kernelEvent.emit(event as unknown as IKernelEvent);
    }
  }

  private _onKernels(): void {
    // Each of ours is a container.
    if (this._started) {
      void this.engine.refresh();
    }
  }

  private _onOperations(): void {
    if (this.operations.running.length) {
      if (!this._quickRuns) {
        this._quickRuns = true;
        void this._quick.start();
      }
    } else if (this._quickRuns) {
      this._quickRuns = false;
      void this._quick.stop();
    }
  }

  private _onEnded(_: unknown, operation: Operation): void {
    const touched: Record<string, Collection<any>[]> = {
      base: [this.bases],
      build: [this.environments, this.bases],
      snapshot: [this.snapshots],
      publish: [this.snapshots, this.catalogue],
      open: [this.snapshots, this.catalogue],
      deploy: [this.deployments],
      update: [this.deployments],
      rollback: [this.deployments],
      stop: [this.deployments],
      start: [this.deployments],
      delete: [this.deployments]
    };
    for (const collection of touched[operation.kind] ?? []) {
      void collection.refresh();
    }
    void this.engine.refresh();
    if (['build', 'open', 'snapshot'].includes(operation.kind)) {
      void this.refreshKernelSpecs();
    }
  }

  private _isDisposed = false;
  private _kernelEvent = new Signal<this, IKernelEvent>(this);
  private _quick: Poll;
  private _quickRuns = false;
  private _slow: Poll;
  private _specs: KernelSpec.IManager | null;
  private _started = false;
}

export namespace Mlops {
  export interface IOptions {
    client: MlopsClient;
    /** The server's event stream; without it the polls alone are used. */
    events?: Event.IManager;
    kernels?: Pick<Kernel.IManager, 'runningChanged'>;
    kernelspecs?: KernelSpec.IManager;
    standby?: Poll.Standby;
  }
}
