import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { MlopsError } from './error';

export type Query = Record<string, string | number>;

/** A page of a list. */
export interface IPage<T> {
  items: T[];
  /** The key to ask for the next page with; null on the last one. */
  next: string | null;
}

/** Requests to the server, below its base URL. Every one rejects with a `MlopsError`. */
export class Requests {
  constructor(
    readonly serverSettings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** All pages of a list. */
  protected async _all<T>(path: string, query: Query = {}): Promise<T[]> {
    const items: T[] = [];
    let after: string | null = '';
    do {
      const page: IPage<T> = await this._get(path, {
        ...query,
        ...(after ? { after } : {})
      });
      items.push(...page.items);
      after = page.next;
    } while (after);
    return items;
  }

  protected _get<T>(path: string, query: Query = {}): Promise<T> {
    const entries = Object.entries(query).map(([k, v]) => [k, String(v)]);
    const text = new URLSearchParams(entries).toString();
    return this._send('GET', text ? `${path}?${text}` : path);
  }

  protected _post<T>(path: string, body: unknown = {}): Promise<T> {
    return this._send('POST', path, body);
  }

  protected async _send<T>(
    method: string,
    path: string,
    body?: unknown
  ): Promise<T> {
    // The base URL is read at each call: Lab can change servers.
    const url = URLExt.join(this.serverSettings.baseUrl, 'mlops', path);
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        url,
        init,
        this.serverSettings
      );
    } catch {
      throw new MlopsError(
        'The Jupyter server does not answer.',
        'server_unreachable'
      );
    }
    const text = await response.text();
    if (!response.ok) {
      throw Private.error(response.status, text);
    }
    return (text ? JSON.parse(text) : undefined) as T;
  }
}

namespace Private {
  export function error(status: number, text: string): MlopsError {
    try {
      const body = JSON.parse(text);
      return new MlopsError(
        body.message || body.reason,
        body.code ?? 'failed',
        body.hint ?? '',
        status
      );
    } catch {
      return new MlopsError(
        `The Jupyter server answered with status ${status}.`,
        'failed',
        '',
        status
      );
    }
  }
}
