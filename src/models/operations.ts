import { PromiseDelegate } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import type { InventoryDiff, Operation } from '../api/nouns';
import { Collection } from './collection';

/** Whether an operation will not change any more. */
export function hasEnded(operation: Operation): boolean {
  return operation.state !== 'queued' && operation.state !== 'running';
}

/** What a build changed for users of an environment. */
export interface IBuildChanges {
  /** The revision that was active before. */
  previous: number;
  revision: number;
  /** In a few words: `1 added, 2 changed`. */
  summary: string;
  /** The first hundred of them. */
  diff: InventoryDiff;
}

/** What a build changed; null for the first one, and where nothing was built. */
export function changesOf(operation: Operation): IBuildChanges | null {
  const { previous, revision, summary, changes } = operation.result ?? {};
  return typeof previous === 'number' && changes
    ? {
        previous,
        revision: Number(revision),
        summary: String(summary),
        diff: changes as InventoryDiff
      }
    : null;
}

/**
 * The operations of the server, and which of them this page waits for.
 */
export class OperationsModel extends Collection<Operation> {
  constructor(private _client: MlopsClient) {
    super(() => _client.operations());
    this.changed.connect(this._settle, this);
  }

  /** Emitted once for each operation that was seen running and has ended. */
  get ended(): ISignal<this, Operation> {
    return this._ended;
  }

  get running(): ReadonlyArray<Operation> {
    return this.items.filter(operation => !hasEnded(operation));
  }

  /** The newest operation on a subject, of one of these kinds. */
  latest(subject: string, ...kinds: string[]): Operation | undefined {
    return this.items.find(
      operation =>
        operation.subject === subject && kinds.includes(operation.kind)
    );
  }

  find(id: string): Operation | undefined {
    return this.items.find(operation => operation.id === id);
  }

  /**
   * Wait for an operation that was just started.
   *
   * Resolves with the succeeded operation; rejects with a `MlopsError` when it failed, was
   * cancelled or interrupted.
   */
  async follow(started: Promise<Operation>): Promise<Operation> {
    const operation = await started;
    const delegate = new PromiseDelegate<Operation>();
    this._followed.set(operation.id, delegate);
    this.track(operation);
    if (hasEnded(operation)) {
      this._settle();
    }
    return delegate.promise;
  }

  /** Put a new or newer state into the list. */
  track(operation: Operation): void {
    const others = this.items.filter(other => other.id !== operation.id);
    this.set([operation, ...others]);
  }

  async cancel(id: string): Promise<void> {
    this.track(await this._client.cancel(id));
    await this.refresh();
  }

  private _settle(): void {
    for (const operation of this.items) {
      if (!hasEnded(operation)) {
        this._seenRunning.add(operation.id);
        continue;
      }
      const followed = this._followed.get(operation.id);
      if (followed) {
        this._followed.delete(operation.id);
        if (operation.state === 'succeeded') {
          followed.resolve(operation);
        } else {
          followed.reject(Private.error(operation));
        }
      }
      if (this._seenRunning.delete(operation.id) || followed) {
        this._ended.emit(operation);
      }
    }
  }

  private _ended = new Signal<this, Operation>(this);
  private _followed = new Map<string, PromiseDelegate<Operation>>();
  private _seenRunning = new Set<string>();
}

namespace Private {
  export function error(operation: Operation): MlopsError {
    const { error } = operation;
    return error
      ? new MlopsError(error.message, error.code, error.hint)
      : new MlopsError(
          operation.message || `The work was ${operation.state}.`,
          operation.state
        );
  }
}
