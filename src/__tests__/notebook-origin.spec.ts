import { origin, standing } from '../models/notebook-origin';

const r1 = {
  environment: 'churn',
  revision: 1,
  snapshot: '',
  digest: 'sha256:1',
  lock: 'sha256:a'
};
const r2 = { ...r1, revision: 2, digest: 'sha256:2' };
const frozen = { ...r1, snapshot: 's-1', digest: 'sha256:3' };
const both = ['mlops-churn', 'mlops-churn.r1', 'mlops-churn.r2'];

describe('standing', () => {
  it('says nothing of notebooks that never ran in an environment', () => {
    for (const saved of [undefined, null, 3, {}, { environment: 'churn' }]) {
      expect(standing(saved, r1, both)).toEqual({ kind: 'none' });
    }
  });

  it('knows the image that it was made with', () => {
    expect(standing(origin(r1), r1, both)).toEqual({ kind: 'match' });
    expect(standing(origin(frozen), frozen, ['mlops-s-1'])).toEqual({
      kind: 'match'
    });
  });

  it('offers the revision that it was made with', () => {
    const saved = origin(r1);
    expect(standing(saved, r2, both)).toEqual({
      kind: 'other',
      saved,
      running: r2,
      kernel: 'mlops-churn.r1'
    });
  });

  it('offers it in the language of the notebook', () => {
    const kernels = [...both, 'mlops-churn.ir', 'mlops-churn.r1.ir'];
    expect(standing(origin(r1), r2, kernels, 'mlops-churn.ir')).toMatchObject({
      kernel: 'mlops-churn.r1.ir'
    });
    expect(standing(origin(r1), r2, both, 'mlops-churn.ir')).toMatchObject({
      kernel: null
    });
  });

  it('offers no revision that is gone, or another one of the same number', () => {
    const saved = origin(r1);
    expect(standing(saved, r2, ['mlops-churn', 'mlops-churn.r2'])).toEqual({
      kind: 'other',
      saved,
      running: r2,
      kernel: null
    });
    const rebuilt = { ...r1, digest: 'sha256:9' };
    expect(standing(saved, rebuilt, both)).toMatchObject({ kernel: null });
  });

  it('misses an environment and a snapshot that are not here', () => {
    for (const saved of [origin(r1), origin(frozen)]) {
      expect(standing(saved, null, ['python3'])).toEqual({
        kind: 'missing',
        saved
      });
    }
  });

  it('leaves another kernel to whoever chose it', () => {
    expect(standing(origin(r1), null, both)).toEqual({ kind: 'none' });
    expect(standing(origin(r1), { ...r2, environment: 'other' }, both)).toEqual(
      { kind: 'none' }
    );
    expect(standing(origin(r1), frozen, both)).toEqual({ kind: 'none' });
  });
});

describe('origin', () => {
  it('keeps nothing empty', () => {
    expect(origin(r1)).toEqual({
      environment: 'churn',
      revision: 1,
      digest: 'sha256:1',
      lock: 'sha256:a'
    });
  });
});
