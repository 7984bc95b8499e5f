import type { IEnvironmentPointer } from './notebook-kernel';

/** The key of a notebook's metadata that holds where its outputs come from. */
export const ORIGIN = 'jupyter_mlops';

/** How what a notebook was made with stands to what it runs with. */
export type Standing =
  | { kind: 'none' }
  | { kind: 'match' }
  | {
      /** The same environment, another revision of it. */
      kind: 'other';
      saved: IEnvironmentPointer;
      running: IEnvironmentPointer;
      /** The kernel that has the notebook's own revision; null when it is gone. */
      kernel: string | null;
    }
  | { kind: 'missing'; saved: IEnvironmentPointer };

/**
 * Compare the notebook's pointer with its kernel's.
 *
 * `saved` is whatever the metadata holds: people edit notebooks. `kernels` are the names of the
 * kernel specs there are; `name` is that of the running one. A kernel that is not of that
 * environment is somebody's choice.
 */
export function standing(
  saved: unknown,
  running: IEnvironmentPointer | null,
  kernels: ReadonlyArray<string>,
  name = ''
): Standing {
  if (!isPointer(saved)) {
    return { kind: 'none' };
  }
  if (saved.digest === running?.digest) {
    return { kind: 'match' };
  }
  const own = `mlops-${saved.snapshot || saved.environment}`;
  if (!kernels.includes(own)) {
    return { kind: 'missing', saved };
  }
  if (
    saved.snapshot ||
    running?.snapshot ||
    saved.environment !== running?.environment
  ) {
    return { kind: 'none' };
  }
  // An environment with R has two kernels.
  const language = name.endsWith('.ir') ? '.ir' : '';
  const pinned = `${own}.r${saved.revision}${language}`;
  return {
    kind: 'other',
    saved,
    running,
    kernel:
      saved.revision !== running.revision && kernels.includes(pinned)
        ? pinned
        : null
  };
}

/** What a notebook keeps of its kernel's pointer: nothing empty. */
export function origin(running: IEnvironmentPointer): Record<string, any> {
  return Object.fromEntries(
    Object.entries(running).filter(([, value]) => value !== '')
  );
}

function isPointer(value: unknown): value is IEnvironmentPointer {
  const found = (value ?? {}) as Partial<IEnvironmentPointer>;
  return (
    typeof found.environment === 'string' &&
    found.environment !== '' &&
    typeof found.digest === 'string'
  );
}
