import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { MlopsError } from '../api/error';
import type { Collection } from '../models/collection';
import { Problem } from './problem';

/** What every list of the sidebar gets. */
export interface IListProps<T> {
  items: ReadonlyArray<T>;
  trans: TranslationBundle;
  /** Execute a command. */
  run: (command: string, args?: Record<string, any>) => void;
}

/** A list with its three other faces: not yet known, failed, empty. */
export function List<T>(props: {
  collection: Pick<Collection<T>, 'error' | 'loaded'> & {
    items: ReadonlyArray<T>;
  };
  label: string;
  trans: TranslationBundle;
  empty: React.ReactNode;
  children: React.ReactNode;
}): React.ReactElement {
  const { collection, label, trans, empty, children } = props;
  const error: MlopsError | null = collection.error;
  if (!collection.loaded && !collection.items.length) {
    return <p className="jp-MLOpsList-note">{trans.__('Loading…')}</p>;
  }
  return (
    <>
      {error && <Problem error={error} />}
      {collection.items.length ? (
        <ul className="jp-MLOpsList" aria-label={label}>
          {children}
        </ul>
      ) : (
        !error && <div className="jp-MLOpsList-note">{empty}</div>
      )}
    </>
  );
}

/** Re-render when any of these signals is emitted. */
export function useChanges(
  ...collections: { changed: ISignal<any, any> }[]
): void {
  const [, bump] = React.useReducer((n: number) => n + 1, 0);
  React.useEffect(() => {
    const slot = () => bump();
    collections.forEach(collection => collection.changed.connect(slot));
    return () => {
      collections.forEach(collection => collection.changed.disconnect(slot));
    };
  }, collections);
}
