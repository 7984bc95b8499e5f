import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsError } from '../api/error';

/**
 * A list on the server and our last sight of it.
 *
 * `refresh` may be called at any time: calls during a fetch lead to one more fetch.
 */
export class Collection<T> implements IDisposable {
  constructor(private _fetch: () => Promise<T[]>) {}

  /** Emitted when items or error have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get items(): ReadonlyArray<T> {
    return this._items;
  }

  /** Why the last fetch failed; the items are older then. */
  get error(): MlopsError | null {
    return this._error;
  }

  /** Whether one fetch has ended. */
  get loaded(): boolean {
    return this._loaded;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  refresh(): Promise<void> {
    if (this._pending) {
      this._again = true;
      return this._pending;
    }
    this._pending = this._run().finally(() => {
      this._pending = null;
    });
    return this._pending;
  }

  /** Show another list: what is known of the old one is dropped. */
  protected reset(): void {
    this._items = [];
    this._error = null;
    this._loaded = false;
    this._changed.emit();
  }

  protected set(items: T[]): void {
    this._items = items;
    this._changed.emit();
  }

  private async _run(): Promise<void> {
    do {
      this._again = false;
      try {
        const items = await this._fetch();
        this._error = null;
        this._items = items;
      } catch (reason) {
        this._error = MlopsError.from(reason);
      }
    } while (this._again && !this._isDisposed);
    this._loaded = true;
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _again = false;
  private _changed = new Signal<this, void>(this);
  private _error: MlopsError | null = null;
  private _isDisposed = false;
  private _items: T[] = [];
  private _loaded = false;
  private _pending: Promise<void> | null = null;
}
