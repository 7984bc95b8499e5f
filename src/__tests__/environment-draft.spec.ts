import type { Imported } from '../api/nouns';
import {
  draftOf,
  emptyDraft,
  lines,
  parseMemory,
  problemsOf,
  specOf,
  withImported
} from '../models/environment-draft';

describe('environment draft', () => {
  it('reads lines without comments and blanks', () => {
    expect(lines('pandas>=2 # tables\n\n# none\n scikit-learn')).toEqual([
      'pandas>=2',
      'scikit-learn'
    ]);
  });

  it('keeps URLs with a fragment', () => {
    expect(lines('pkg @ https://example.com/a.whl#sha256=1')).toEqual([
      'pkg @ https://example.com/a.whl#sha256=1'
    ]);
  });

  it.each([
    ['', 0],
    ['4', 4 * 1024 ** 3],
    ['512 MB', 512e6],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['much', null]
  ])('reads the size %p', (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
  });

  it('goes from specification to draft and back', () => {
    const spec = specOf({
      ...emptyDraft('debian'),
      name: 'churn',
      python: 'pandas\nlightgbm',
      variables: 'OMP_NUM_THREADS=2\nURL=a=b',
      secrets: 'WANDB_API_KEY',
      preload: 'pandas\nsklearn.linear_model',
      r: 'data.table',
      memory: '2 GiB',
      cpus: '1.5',
      smoke: ' tests/smoke.ipynb',
      smokeNotebook: 'sha256:1',
      date: '2024-01-15'
    });
    expect(spec.r).toEqual(['data.table']);
    expect(spec.preload).toEqual(['pandas', 'sklearn.linear_model']);
    expect(spec.smoke).toBe('tests/smoke.ipynb');
    expect(spec.smoke_notebook).toBe('sha256:1');
    expect(spec.date).toBe('2024-01-15');
    expect(spec.variables).toEqual({ OMP_NUM_THREADS: '2', URL: 'a=b' });
    expect(spec.secrets).toEqual(['WANDB_API_KEY']);
    expect(specOf(draftOf(spec))).toEqual(spec);
  });

  it('keeps what it has no fields for, and amounts that nobody changed', () => {
    const before = {
      ...specOf({ ...emptyDraft('debian'), name: 'churn' }),
      smoke: 'smoke.ipynb',
      resources: { cpus: 1, memory: 1234567890, pids: 100, shm: 1, gpus: 2 }
    };
    const draft = draftOf(before);
    expect(draft.memory).toBe('1.15 GiB');
    expect(specOf(draft, before)).toEqual(before);
    const changed = specOf({ ...draft, memory: '2 GiB', cpus: '' }, before);
    expect(changed.resources).toEqual({
      ...before.resources,
      memory: 2 * 1024 ** 3,
      cpus: 0
    });
  });

  it('takes over what is imported, and gives back an earlier import', () => {
    const imported = (...python: string[]): Imported => ({
      source: 'pyproject.toml',
      name: 'churn',
      description: 'from the file',
      python,
      r: ['dplyr==1.1.4'],
      left_out: [],
      extras: [],
      groups: [],
      variables: { OMP_NUM_THREADS: '2' }
    });
    const typed = {
      ...emptyDraft('debian'),
      description: 'mine',
      python: 'tqdm',
      r: 'DBI'
    };
    const first = imported('pandas', 'six');
    const once = withImported(typed, first, null);
    expect(once.python).toBe('tqdm\npandas\nsix');
    expect([once.name, once.description]).toEqual(['churn', 'mine']);
    const again = withImported(once, imported('pandas'), first);
    expect(again.python).toBe('tqdm\npandas');
    expect(again.r).toBe('DBI\ndplyr==1.1.4');
    expect(again.variables).toBe('OMP_NUM_THREADS=2');
  });

  it.each([
    'scikit-learn==1.7.*',
    'pandas [excel] >=2',
    'uvloop; sys_platform != "win32"',
    'a @ https://example.com/a.whl#sha256=1',
    'six (>=1)'
  ])('takes %p for a package', python => {
    const draft = { ...emptyDraft('debian'), name: 'a', python };
    expect(problemsOf(draft)).toEqual({});
  });

  it('limits processes as the server does, or not at all', () => {
    const draft = { ...emptyDraft('debian'), name: 'a', gpus: '1' };
    expect(specOf(draft).resources).toMatchObject({ pids: 4096, gpus: 1 });
    const unlimited = specOf({ ...draft, pids: '' });
    expect(unlimited.resources?.pids).toBe(0);
    expect(draftOf(unlimited).pids).toBe('');
  });

  it('finds what is wrong', () => {
    const draft = {
      ...emptyDraft(''),
      name: 'My Env',
      variables: 'no equals',
      secrets: 'KEY=value',
      smoke: 'test.py',
      memory: 'lots',
      cpus: '-1',
      pids: 'many',
      gpus: '1.5',
      python: 'pandas>=2\n-r more.txt',
      apt: 'libgomp1 curl',
      r: 'data.table\ndplyr=1',
      preload: 'pandas\nimport numpy'
    };
    const problems = problemsOf(draft);
    expect(problems).toMatchObject({
      python: '-r more.txt',
      apt: 'libgomp1 curl',
      r: 'dplyr=1'
    });
    expect(Object.keys(problems).sort()).toEqual([
      'apt',
      'base',
      'cpus',
      'gpus',
      'memory',
      'name',
      'pids',
      'preload',
      'python',
      'r',
      'secrets',
      'smoke',
      'variables'
    ]);
    expect(problemsOf({ ...emptyDraft('debian'), name: 'a' })).toEqual({});
  });
});
