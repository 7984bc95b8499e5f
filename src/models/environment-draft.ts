import type { EnvironmentSpec, Imported } from '../api/nouns';
import { formatMemory } from '../format';

/** What the form holds: everything as the text that the user typed. */
export interface IEnvironmentDraft {
  name: string;
  description: string;
  base: string;
  python: string;
  apt: string;
  r: string;
  variables: string;
  secrets: string;
  setup: string;
  /** Python modules, as `import` takes them. */
  preload: string;
  smoke: string;
  /** The digest of its content, as the server took it in before. */
  smokeNotebook: string;
  date: string;
  network: 'outbound' | 'none';
  cpus: string;
  memory: string;
  pids: string;
  gpus: string;
}

/** Field name to what is wrong with it: the text itself, where it can be told. */
export type DraftErrors = Partial<Record<keyof IEnvironmentDraft, string>>;

const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const PYTHON = /^[A-Za-z0-9][\w.-]*\s*(\[|[<>=!~@;(]|$)/;
const APT = /^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?([=/]\S+)?$/;
const R = /^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]([=>]=\d+([.-]\d+)*)?$/;
const MODULE = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;
/** As the server has it where nothing is said. */
const PIDS = '4096';
const UNITS: Record<string, number> = {
  '': 1024 ** 3,
  MB: 1e6,
  GB: 1e9,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3
};

/** Whether environments and base images can be called so. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Lines of a text, without empty ones and comments. */
export function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean);
}

/** `4`, `4 GiB`, `512MB` in bytes; 0 for nothing, null for what is no size. */
export function parseMemory(text: string): number | null {
  if (!text.trim()) {
    return 0;
  }
  const match = /^\s*([\d.]+)\s*(MB|GB|MiB|GiB)?\s*$/.exec(text);
  return match ? Math.round(Number(match[1]) * UNITS[match[2] ?? '']) : null;
}

export function emptyDraft(base: string): IEnvironmentDraft {
  return {
    name: '',
    description: '',
    base,
    python: '',
    apt: '',
    r: '',
    variables: '',
    secrets: '',
    setup: '',
    preload: '',
    smoke: '',
    smokeNotebook: '',
    date: '',
    network: 'outbound',
    cpus: '',
    memory: '',
    pids: PIDS,
    gpus: ''
  };
}

export function draftOf(spec: EnvironmentSpec): IEnvironmentDraft {
  const { resources } = spec;
  return {
    name: spec.name,
    description: spec.description ?? '',
    base: spec.base,
    python: (spec.python ?? []).join('\n'),
    apt: (spec.apt ?? []).join('\n'),
    r: (spec.r ?? []).join('\n'),
    variables: Object.entries(spec.variables ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    secrets: (spec.secrets ?? []).join('\n'),
    setup: spec.setup ?? '',
    preload: (spec.preload ?? []).join('\n'),
    smoke: spec.smoke ?? '',
    smokeNotebook: spec.smoke_notebook ?? '',
    date: spec.date ?? '',
    network: spec.network === 'none' ? 'none' : 'outbound',
    cpus: resources?.cpus ? String(resources.cpus) : '',
    memory: resources?.memory ? formatMemory(resources.memory) : '',
    pids: String(resources?.pids ?? PIDS).replace(/^0$/, ''),
    gpus: resources?.gpus ? String(resources.gpus) : ''
  };
}

/** What can be seen to be wrong before the server is asked. */
export function problemsOf(draft: IEnvironmentDraft): DraftErrors {
  const errors: DraftErrors = {};
  const check = (
    key: keyof IEnvironmentDraft,
    wrong: string | boolean | undefined
  ) => {
    if (wrong) {
      errors[key] = wrong === true ? draft[key] : wrong;
    }
  };
  const odd = (text: string, good: RegExp) =>
    lines(text).find(line => !good.test(line));
  const whole = (text: string) => /^\d*$/.test(text.trim());
  check('name', !isName(draft.name));
  check('base', !draft.base);
  check('python', odd(draft.python, PYTHON));
  check('apt', odd(draft.apt, APT));
  check('r', odd(draft.r, R));
  check('variables', odd(draft.variables, /^[A-Za-z_]\w*=/));
  check('secrets', odd(draft.secrets, /^[A-Za-z_]\w*$/));
  check('preload', odd(draft.preload, MODULE));
  const smoke = draft.smoke.trim();
  check('smoke', !!smoke && !smoke.endsWith('.ipynb'));
  check('memory', parseMemory(draft.memory) === null);
  check('cpus', !!draft.cpus && !(Number(draft.cpus) > 0));
  check('pids', !whole(draft.pids));
  check('gpus', !whole(draft.gpus));
  return errors;
}

/** The draft with what was imported; `before` is what an earlier import gave, which goes. */
export function withImported(
  draft: IEnvironmentDraft,
  found: Imported,
  before: Imported | null
): IEnvironmentDraft {
  const gone = new Set([...(before?.python ?? []), ...(found.python ?? [])]);
  const kept = lines(draft.python).filter(line => !gone.has(line));
  const goneR = new Set([...(before?.r ?? []), ...(found.r ?? [])]);
  const keptR = lines(draft.r).filter(line => !goneR.has(line));
  const variables = Object.entries(found.variables ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .filter(line => !lines(draft.variables).includes(line));
  return {
    ...draft,
    name: draft.name || (found.name ?? ''),
    description: draft.description || (found.description ?? ''),
    python: [...kept, ...(found.python ?? [])].join('\n'),
    r: [...keptR, ...(found.r ?? [])].join('\n'),
    variables: [...lines(draft.variables), ...variables].join('\n')
  };
}

/** `before` is the specification that is edited: what the form has no fields for stays. */
export function specOf(
  draft: IEnvironmentDraft,
  before: EnvironmentSpec | null = null
): EnvironmentSpec {
  const variables: Record<string, string> = {};
  for (const line of lines(draft.variables)) {
    const at = line.indexOf('=');
    variables[line.slice(0, at)] = line.slice(at + 1);
  }
  // What is shown is rounded: only an amount that was typed is another one.
  const memory =
    before && draftOf(before).memory === draft.memory
      ? before.resources?.memory
      : parseMemory(draft.memory);
  return {
    ...before,
    name: draft.name,
    description: draft.description,
    base: draft.base,
    python: lines(draft.python),
    apt: lines(draft.apt),
    r: lines(draft.r),
    variables,
    secrets: lines(draft.secrets),
    setup: draft.setup,
    preload: lines(draft.preload),
    smoke: draft.smoke.trim(),
    smoke_notebook: draft.smokeNotebook,
    date: draft.date,
    network: draft.network,
    resources: {
      ...before?.resources,
      cpus: Number(draft.cpus) || 0,
      memory: memory ?? 0,
      pids: Number(draft.pids) || 0,
      gpus: Number(draft.gpus) || 0
    }
  } as EnvironmentSpec;
}
