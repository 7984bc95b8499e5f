import { nullTranslator } from '@jupyterlab/translation';

import type { Deletion, Operation } from '../api/nouns';
import { deletionSentences } from '../models/deletion';
import { changesOf } from '../models/operations';

const trans = nullTranslator.load('jupyter_mlops');

describe('deletion', () => {
  it('says what comes back, and what stays', () => {
    const deletion: Deletion = {
      environments: ['churn'],
      revisions: ['churn@2', 'churn@1'],
      freed: 85_000_000,
      home: 1_000_000,
      shared: 172_000_000,
      kept: []
    };
    expect(deletionSentences(deletion, trans)).toEqual([
      'Its 2 revisions and the home folder of its notebooks go with it. Snapshots stay.',
      '85 MB will be free again, 1.0 MB of that in the home folder.',
      '172 MB stay, since other images have the same layers.'
    ]);
    const small = { ...deletion, home: 0, shared: 0, revisions: ['churn@1'] };
    expect(deletionSentences(small, trans)).toEqual([
      'Its 1 revision and the home folder of its notebooks go with it. Snapshots stay.',
      '85 MB will be free again.'
    ]);
  });

  it('names single revisions, and why others stay', () => {
    const kept = [{ revision: 'churn@2', reason: 'a kernel of it runs' }];
    const deletion: Deletion = {
      environments: [],
      revisions: ['churn@3', 'churn@1'],
      freed: 85_000_000,
      home: 0,
      shared: 0,
      kept
    };
    expect(deletionSentences(deletion, trans)).toEqual([
      '2 revisions go: churn r3, churn r1.',
      '85 MB will be free again.',
      'churn r2 stays: a kernel of it runs.'
    ]);
    expect(
      deletionSentences({ ...deletion, revisions: [], freed: 0 }, trans)
    ).toEqual([
      'There is nothing to delete: every revision is needed.',
      'churn r2 stays: a kernel of it runs.'
    ]);
  });
});

describe('what a build changed', () => {
  const changes = { added: [], removed: [], patched: [], changed: [] };
  it.each([
    [{ previous: 1, revision: 2, summary: '1 changed', changes }, 1],
    [{ environment: 'churn', revision: 1 }, undefined],
    [undefined, undefined]
  ])('of %p', (result, previous) => {
    expect(changesOf({ result } as unknown as Operation)?.previous).toBe(
      previous
    );
  });
});
