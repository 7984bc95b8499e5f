import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import type { Operation } from '../api/nouns';
import { ExportModel } from '../models/export';
import { Mlops } from '../models/mlops';

function done(kind: string, result: Record<string, unknown>): Operation {
  return {
    id: kind,
    kind,
    subject: 'x',
    state: 'succeeded',
    created: '2026-11-22T10:00:00+00:00',
    result
  } as Operation;
}

function make(part: Record<string, unknown>) {
  const client = {
    candidates: async () => ({
      models: ['model.joblib'],
      handlers: ['inference.py'],
      samples: ['prediction.json', 'sample.json'],
      functions: {}
    }),
    targets: async () => [{ name: 'local', title: 'This machine' }],
    createPackage: async () => done('package', { package: 'p-1' }),
    checkPackage: async () => done('check', {}),
    package: async () => ({
      id: 'p-1',
      report: { checks: [{ passed: true }] }
    }),
    plan: async () => ({ steps: ['start a container'], resources: [] }),
    deploy: async () => done('deploy', { deployment: 'd-1' }),
    deployment: async () => ({ id: 'd-1', state: 'running' }),
    ...part
  } as unknown as MlopsClient;
  return new ExportModel(new Mlops({ client, standby: 'never' }), 's-1');
}

describe('ExportModel', () => {
  it('takes the likeliest files', async () => {
    const model = make({});
    await model.load();
    expect(model.choice).toMatchObject({
      model: 'model.joblib',
      handler: 'inference.py',
      sample: 'sample.json',
      expected: 'prediction.json'
    });
  });

  it.each([
    ['inference.py', '', 'inference'],
    ['handler.py', 'score', 'function'],
    ['predict.R', '', 'r'],
    ['predict.r', 'score', 'r']
  ])('says how %s %s is called', async (handler, name, kind) => {
    const createPackage = jest.fn(async () =>
      done('package', { package: 'p-1' })
    );
    const model = make({ createPackage });
    await model.load();
    model.choose({ handler, function: name, batch: 8 });
    await model.check();
    expect(createPackage).toHaveBeenCalledWith(
      expect.objectContaining({
        handler: { kind, path: handler, function: name },
        batching: { size: 8, wait_ms: 2 }
      })
    );
  });

  it('goes from package to deployment', async () => {
    const model = make({});
    await model.load();
    model.choose({ name: 'diabetes' });
    await model.check();
    expect(model.package?.id).toBe('p-1');
    expect(model.deploymentName).toBe('diabetes');
    model.setDeploymentName('diabetes-2');
    model.choose({ name: 'other' });
    expect(model.deploymentName).toBe('diabetes-2');
    model.next();
    await model.chooseTarget('local');
    await model.review();
    expect(model.step).toBe('review');
    await model.deploy();
    expect(model.step).toBe('done');
    expect(model.deployment?.id).toBe('d-1');
    expect(model.working).toBeNull();
  });

  it('stays on the page and says why when a step fails', async () => {
    const model = make({
      createPackage: async () => {
        throw new MlopsError('joblib is missing.', 'invalid', 'Install it.');
      }
    });
    await model.load();
    await model.check();
    expect(model.error?.hint).toBe('Install it.');
    expect(model.package).toBeNull();
    model.back();
    expect(model.step).toBe('model');
    expect(model.error).toBeNull();
  });
});
