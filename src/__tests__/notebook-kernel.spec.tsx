import type { ISessionContext } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import type { Additions, InventoryDiff } from '../api/nouns';
import { EnvironmentChip } from '../components/environment-chip';
import { IEnvironmentPointer, NotebookKernel } from '../models/notebook-kernel';

const trans = nullTranslator.load('jupyter_mlops');

function added(...names: string[]): InventoryDiff {
  return {
    added: names.map(name => ({
      ecosystem: 'pypi',
      name,
      before: '',
      after: '1.0'
    })),
    removed: [],
    changed: [],
    patched: []
  };
}

/** A session whose kernel is ours, and a server that answers with `server`. */
class Session {
  constructor(pointer: Partial<IEnvironmentPointer> = {}) {
    const sender = {};
    this._statusChanged = new Signal<any, any>(sender);
    const kernel = {
      id: 'kernel-1',
      spec: Promise.resolve({
        display_name: 'baseline (snapshot)',
        metadata: {
          jupyter_mlops: {
            environment: 'churn',
            revision: 4,
            snapshot: '',
            digest: 'sha256:1',
            ...pointer
          }
        }
      })
    };
    this.context = {
      kernelChanged: new Signal<any, any>(sender),
      statusChanged: this._statusChanged,
      ready: Promise.resolve(),
      session: { kernel },
      kernelDisplayStatus: 'idle'
    } as unknown as ISessionContext;
    this.kernel = new NotebookKernel(this.context, {
      drift: async () => this.drift,
      additions: async () => this.additions
    } as unknown as MlopsClient);
  }

  /** A cell has run. */
  async ran(): Promise<void> {
    await act(async () => {
      this._statusChanged.emit('idle');
      await jest.advanceTimersByTimeAsync(2000);
    });
  }

  additions: Additions = { requirements: [], r: [], left_out: [] };
  drift: InventoryDiff = added();
  context: ISessionContext;
  kernel: NotebookKernel;
  private _statusChanged: Signal<any, any>;
}

beforeEach(() => {
  jest.useFakeTimers();
  sessionStorage.clear();
});
afterEach(() => jest.useRealTimers());

describe('the changes in a kernel', () => {
  it('counts them', async () => {
    const session = new Session();
    await session.ran();
    expect(session.kernel.news).toBe(0);
    session.drift = added('six', 'toolz');
    await session.ran();
    expect(session.kernel.news).toBe(2);
    expect(session.kernel.label).toBe('churn r4');
  });

  it('ignores what there is, and shows what comes after', async () => {
    const session = new Session();
    session.drift = added('six', 'toolz');
    await session.ran();
    session.kernel.ignore();
    expect(session.kernel.news).toBe(0);
    const reloaded = new Session();
    reloaded.drift = session.drift;
    await reloaded.ran();
    expect(reloaded.kernel.news).toBe(0);
    session.drift = added('six');
    await session.ran();
    expect(session.kernel.news).toBe(0);
    // As many as were ignored, but not the same.
    session.drift = added('six', 'cowsay');
    await session.ran();
    expect(session.kernel.news).toBe(2);
  });
});

describe('the popover of changes', () => {
  async function open(session: Session) {
    const chosen = { add: jest.fn(), freeze: jest.fn() };
    render(
      <EnvironmentChip
        kernel={session.kernel}
        trans={trans}
        onAdd={chosen.add}
        onFreeze={chosen.freeze}
        onSwitch={jest.fn()}
        onLimits={jest.fn()}
      />
    );
    await session.ran();
    await act(async () => {
      screen.getByText(/added$/).focus();
      fireEvent.click(screen.getByText(/added$/));
    });
    return chosen;
  }

  it('adds packages, and tells which cannot be added', async () => {
    const session = new Session();
    session.drift = added('six', 'own');
    session.additions = {
      requirements: ['six==1.0'],
      r: [],
      left_out: [
        { name: 'own', reason: 'It was installed from /home/ada/own.' }
      ]
    };
    const chosen = await open(session);
    expect(screen.getByRole('dialog').textContent).toContain(
      'It was installed from /home/ada/own.'
    );
    const add = screen.getByText('Add to environment');
    fireEvent.click(add);
    expect(chosen.add).toHaveBeenCalledTimes(1);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('does not offer to add nothing', async () => {
    const session = new Session();
    session.drift = added('own');
    session.additions = {
      requirements: [],
      r: [],
      left_out: [{ name: 'own', reason: 'It was installed from a folder.' }]
    };
    await open(session);
    const add = screen.getByText<HTMLButtonElement>('Add to environment');
    expect(add.closest('button')?.disabled).toBe(true);
  });

  it('is gone through by Tab, and left by Escape', async () => {
    const session = new Session();
    session.drift = added('six');
    session.additions = { requirements: ['six==1.0'], r: [], left_out: [] };
    await open(session);
    const focused = () => document.activeElement?.textContent;
    const press = (key: string, shiftKey = false) =>
      fireEvent.keyDown(document.activeElement!, { key, shiftKey });
    expect(focused()).toBe('Add to environment');
    press('Tab');
    expect(focused()).toBe('Freeze');
    press('Tab');
    press('Tab');
    expect(focused()).toBe('Add to environment');
    press('Tab', true);
    expect(focused()).toBe('Ignore');
    press('Escape');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(focused()).toBe('1 added');
  });

  it('freezes what has no environment, and ignores', async () => {
    const session = new Session({ snapshot: 's-1' });
    session.drift = added('six');
    const chosen = await open(session);
    expect(screen.queryByText('Add to environment')).toBeNull();
    fireEvent.click(screen.getByText('Freeze'));
    expect(chosen.freeze).toHaveBeenCalledTimes(1);
    fireEvent.click(screen.getByText(/added$/));
    fireEvent.click(screen.getByText('Ignore'));
    expect(screen.queryByText(/added$/)).toBeNull();
  });
});
