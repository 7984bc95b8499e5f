import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelSpec } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import type { MlopsClient } from '../api/client';
import type { Additions, InventoryDiff, KernelStatus } from '../api/nouns';

/** The part of a kernel spec's metadata that we write. */
export interface IEnvironmentPointer {
  environment: string;
  revision: number;
  snapshot?: string;
  digest: string;
  lock: string;
}

/**
 * The environment that a notebook's kernel runs in, and what changed in it.
 *
 * Drift is looked up after cells have run, never during: it costs a process in the container.
 */
export class NotebookKernel implements IDisposable {
  constructor(
    private _context: ISessionContext,
    private _client: MlopsClient
  ) {
    this._look = new Debouncer(() => this._refreshDrift(), 1500);
    _context.kernelChanged.connect(this._onKernelChanged, this);
    _context.statusChanged.connect(this._onStatus, this);
    void this._context.ready.then(() => this._onKernelChanged());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null for kernels that are not ours. */
  get pointer(): IEnvironmentPointer | null {
    return this._pointer;
  }

  /** `diabetes r4`, or the name of a snapshot. */
  get label(): string {
    return this._label;
  }

  get kernelId(): string {
    return this._context.session?.kernel?.id ?? '';
  }

  /** Null until it is known. */
  get drift(): InventoryDiff | null {
    return this._drift;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._look.dispose();
      Signal.clearData(this);
    }
  }

  /** Live use of memory and processor. */
  status(): Promise<KernelStatus> {
    return this._client.kernel(this.kernelId);
  }

  /** What of the drift the environment can have, looked up now. */
  additions(): Promise<Additions> {
    return this._client.additions(this.kernelId);
  }

  /** Forget the changes there are, which the user does not want to see, until there is another. */
  ignore(): void {
    const keys = Private.keys(this._drift);
    this._ignored = new Set(keys);
    Private.remember(this.kernelId, keys);
    this._changed.emit();
  }

  /** How much changed since the revision; 0 when all of it is ignored. */
  get news(): number {
    const keys = Private.keys(this._drift);
    return keys.every(key => this._ignored.has(key)) ? 0 : keys.length;
  }

  private _onKernelChanged(): void {
    this._drift = null;
    this._ignored = new Set(Private.remembered(this.kernelId));
    this._pointer = null;
    this._changed.emit();
    const kernel = this._context.session?.kernel;
    if (kernel) {
      void this._findPointer(kernel);
    }
  }

  private async _findPointer(kernel: Kernel.IKernelConnection): Promise<void> {
    const spec: KernelSpec.ISpecModel | undefined = await kernel.spec;
    if (this._isDisposed || kernel.id !== this.kernelId) {
      return;
    }
    this._pointer = (spec?.metadata?.['jupyter_mlops'] ??
      null) as IEnvironmentPointer | null;
    this._label = this._pointer?.snapshot
      ? (spec?.display_name.replace(/ \(.*\)$/, '') ?? '')
      : `${this._pointer?.environment} r${this._pointer?.revision}`;
    this._changed.emit();
    this._onStatus();
  }

  private _onStatus(): void {
    if (this._pointer && this._context.kernelDisplayStatus === 'idle') {
      void this._look.invoke();
    }
  }

  private async _refreshDrift(): Promise<void> {
    const id = this.kernelId;
    if (!id || !this._pointer || this._isDisposed) {
      return;
    }
    try {
      const drift = await this._client.drift(id);
      if (id === this.kernelId && !this._isDisposed) {
        this._drift = drift;
        this._changed.emit();
      }
    } catch {
      // A kernel that just ended has no drift; its own status says so.
    }
  }

  private _changed = new Signal<this, void>(this);
  private _drift: InventoryDiff | null = null;
  private _ignored = new Set<string>();
  private _isDisposed = false;
  private _label = '';
  private _look: Debouncer;
  private _pointer: IEnvironmentPointer | null = null;
}

namespace Private {
  /** One for each change, the same whenever it is the same change. */
  export function keys(drift: InventoryDiff | null): string[] {
    const groups = {
      added: drift?.added,
      removed: drift?.removed,
      changed: drift?.changed,
      patched: drift?.patched
    };
    return Object.entries(groups).flatMap(([group, changes]) =>
      (changes ?? []).map(({ ecosystem, name, before, after }) =>
        [group, ecosystem, name, before, after].join(' ')
      )
    );
  }

  /** What the user does not want to see of a kernel: until its container ends, in this tab. */
  export function remembered(kernel: string): string[] {
    try {
      const found = JSON.parse(
        sessionStorage.getItem(IGNORED + kernel) ?? '[]'
      );
      return Array.isArray(found) ? found : [];
    } catch {
      // A browser may keep nothing; then it is forgotten by a reload.
      return [];
    }
  }

  export function remember(kernel: string, keys: string[]): void {
    try {
      sessionStorage.setItem(IGNORED + kernel, JSON.stringify(keys));
    } catch {
      // As above.
    }
  }

  const IGNORED = 'jupyter-mlops:ignored:';
}
