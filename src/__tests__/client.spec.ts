import { ServerConnection } from '@jupyterlab/services';

import { MlopsClient } from '../api/client';

function answer(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status });
}

describe('MlopsClient', () => {
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/user/ada/'
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('asks below the base URL of the server', async () => {
    const asked = jest
      .spyOn(ServerConnection, 'makeRequest')
      .mockResolvedValue(answer(200, { text: '', next: 0 }));
    await new MlopsClient(settings).operationLog('abc', 7);
    expect(asked.mock.calls[0][0]).toBe(
      'http://localhost/user/ada/mlops/operations/abc/log?offset=7'
    );
  });

  it('reads a list to its last page', async () => {
    const asked = jest
      .spyOn(ServerConnection, 'makeRequest')
      .mockResolvedValueOnce(answer(200, { items: [{ id: 'a' }], next: 'a' }))
      .mockResolvedValueOnce(answer(200, { items: [{ id: 'b' }], next: null }));
    const snapshots = await new MlopsClient(settings).snapshots();
    expect(snapshots.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(asked.mock.calls[1][0]).toContain('after=a');
  });

  it('turns an error body into code, message and hint', async () => {
    jest
      .spyOn(ServerConnection, 'makeRequest')
      .mockResolvedValue(
        answer(409, { message: 'Taken.', code: 'conflict', hint: 'Rename it.' })
      );
    await expect(
      new MlopsClient(settings).createEnvironment({ spec_text: 'name: a' })
    ).rejects.toMatchObject({
      message: 'Taken.',
      code: 'conflict',
      hint: 'Rename it.',
      status: 409
    });
  });

  it('says so when the server does not answer', async () => {
    jest
      .spyOn(ServerConnection, 'makeRequest')
      .mockRejectedValue(new TypeError('Failed to fetch'));
    await expect(new MlopsClient(settings).engine()).rejects.toMatchObject({
      code: 'server_unreachable'
    });
  });

  it('survives an error page that is not JSON', async () => {
    jest
      .spyOn(ServerConnection, 'makeRequest')
      .mockResolvedValue(new Response('<html>Bad gateway', { status: 502 }));
    await expect(new MlopsClient(settings).bases()).rejects.toMatchObject({
      status: 502,
      message: 'The Jupyter server answered with status 502.'
    });
  });
});
