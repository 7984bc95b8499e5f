import type { MlopsClient } from '../api/client';
import type { Operation } from '../api/nouns';
import { OperationsModel } from '../models/operations';

function operation(part: Partial<Operation>): Operation {
  return {
    id: 'o1',
    kind: 'build',
    subject: 'churn',
    state: 'running',
    created: '2026-11-22T10:00:00+00:00',
    ...part
  } as Operation;
}

class Server {
  list: Operation[] = [];
  client = {
    operations: async () => this.list,
    cancel: async (id: string) => {
      this.list = this.list.map(o =>
        o.id === id ? { ...o, state: 'cancelled' } : o
      );
      return this.list.find(o => o.id === id)!;
    }
  } as unknown as MlopsClient;
}

describe('OperationsModel', () => {
  it('resolves what it follows when the operation succeeds', async () => {
    const server = new Server();
    const model = new OperationsModel(server.client);
    const ended: string[] = [];
    model.ended.connect((_, o) => ended.push(o.id));
    const followed = model.follow(Promise.resolve(operation({})));
    await Promise.resolve();
    expect(model.running).toHaveLength(1);
    server.list = [operation({ state: 'succeeded', result: { revision: 2 } })];
    await model.refresh();
    await expect(followed).resolves.toMatchObject({ result: { revision: 2 } });
    await model.refresh();
    expect(ended).toEqual(['o1']);
  });

  it('rejects with the error of a failed operation', async () => {
    const server = new Server();
    const model = new OperationsModel(server.client);
    const followed = model.follow(Promise.resolve(operation({})));
    server.list = [
      operation({
        state: 'failed',
        error: { code: 'disk_full', message: 'Full.', hint: 'Free some.' }
      })
    ];
    void followed.catch(() => undefined);
    await Promise.resolve();
    await model.refresh();
    await expect(followed).rejects.toMatchObject({
      code: 'disk_full',
      hint: 'Free some.'
    });
  });

  it('rejects what the user cancels', async () => {
    const server = new Server();
    server.list = [operation({})];
    const model = new OperationsModel(server.client);
    const followed = model.follow(Promise.resolve(operation({})));
    void followed.catch(() => undefined);
    await Promise.resolve();
    await model.cancel('o1');
    await expect(followed).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('keeps the last list and the error when a fetch fails', async () => {
    const server = new Server();
    server.list = [operation({ state: 'succeeded' })];
    const model = new OperationsModel(server.client);
    await model.refresh();
    (server.client as any).operations = async () => {
      throw new Error('gone');
    };
    await model.refresh();
    expect(model.items).toHaveLength(1);
    expect(model.error?.message).toBe('gone');
  });
});
