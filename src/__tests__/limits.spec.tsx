import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import { MlopsError } from '../api/error';
import type { KernelStatus, LimitChoice } from '../api/nouns';
import { UsageMeters } from '../components/kernel-usage';
import { draftOf, LimitsForm, limitsOf } from '../components/limits-form';
import { useWhileSeen } from '../components/seen';
import { formatMemory } from '../format';
import { moreMemory } from '../models/more-memory';

const trans = nullTranslator.load('jupyter_mlops');
const GIB = 1024 ** 3;

function choice(parts: Partial<LimitChoice> = {}): LimitChoice {
  const nothing = {
    cpus: null,
    memory: null,
    pids: null,
    gpus: null,
    network: null
  };
  const environment = {
    resources: { cpus: 0, memory: 4 * GIB, pids: 4096, shm: 0, gpus: 0 },
    network: 'outbound'
  };
  return {
    chosen: nothing,
    environment,
    next: environment,
    ceiling: nothing,
    machine: { cpus: 8, memory: 16 * GIB, gpus: 0 },
    enforced: true,
    ...parts
  };
}

describe('limits as they are typed', () => {
  it('says nothing where nothing is typed', () => {
    const draft = draftOf(choice().chosen);
    expect(draft.memory).toBe('');
    expect(limitsOf(draft)).toEqual(choice().chosen);
  });

  it('comes back as it was', () => {
    const limits = {
      memory: 2 * GIB,
      cpus: 0.5,
      pids: 0,
      gpus: null,
      network: 'none'
    };
    const draft = draftOf(limits);
    expect(draft).toEqual({
      memory: '2 GiB',
      cpus: '0.5',
      pids: '0',
      gpus: '',
      network: 'none'
    });
    expect(limitsOf(draft)).toEqual({ ...limits, memory: '2 GiB' });
    // The server names what is no number.
    expect(limitsOf({ ...draft, cpus: 'two' }).cpus).toBe('two');
    expect(limitsOf({ ...draft, cpus: '1,5' }).cpus).toBe(1.5);
  });

  it('writes memory in powers of 1024', () => {
    expect(formatMemory(300 * 1024 ** 2)).toBe('300 MiB');
    expect(formatMemory(1.5 * GIB)).toBe('1.5 GiB');
    expect(formatMemory(23.456 * GIB)).toBe('23.5 GiB');
    expect(formatMemory(2048 * GIB)).toBe('2 TiB');
  });
});

describe('more memory', () => {
  it('is twice as much, or all that there may be', () => {
    expect(moreMemory(4 * GIB, choice())).toBe(8 * GIB);
    expect(moreMemory(10 * GIB, choice())).toBe(16 * GIB);
    const ceiling = { ...choice().ceiling, memory: 5 * GIB };
    expect(moreMemory(4 * GIB, choice({ ceiling }))).toBe(5 * GIB);
  });

  it('is not offered where there is none', () => {
    expect(moreMemory(16 * GIB, choice())).toBe(0);
    expect(moreMemory(0, choice())).toBe(0);
    expect(moreMemory(GIB, choice({ enforced: false }))).toBe(0);
  });
});

describe('the form', () => {
  it('says what an empty field is, and what a new container loses', () => {
    const changed = jest.fn();
    const freeze = jest.fn();
    render(
      <LimitsForm
        choice={choice()}
        draft={draftOf(choice().chosen)}
        installed={['toolz', 'six']}
        running={true}
        problem={new MlopsError('Too little.', 'invalid', 'Give it more.')}
        trans={trans}
        onChange={changed}
        onFreeze={freeze}
      />
    );
    const memory = screen.getByLabelText<HTMLInputElement>('Memory');
    expect(memory.placeholder).toBe('4 GiB');
    expect(
      screen.getByLabelText<HTMLInputElement>('Processors').placeholder
    ).toBe('no limit');
    expect(screen.queryByLabelText('Graphics processors')).toBeNull();
    expect(screen.getByRole('alert').textContent).toContain('Give it more.');
    expect(screen.getByRole('note').textContent).toContain('toolz, six');
    fireEvent.change(memory, { target: { value: '8 GiB' } });
    expect(changed).toHaveBeenLastCalledWith(
      expect.objectContaining({ memory: '8 GiB' })
    );
    fireEvent.click(screen.getByText('Freeze it first…'));
    expect(freeze).toHaveBeenCalledTimes(1);
  });
});

describe('what a kernel uses', () => {
  it('is a bar where there is a limit', () => {
    const status = {
      memory: GIB,
      memory_limit: 4 * GIB,
      cpu: 0.52,
      limits: { resources: { cpus: 0, pids: 0 }, network: 'none' }
    } as unknown as KernelStatus;
    render(<UsageMeters status={status} trans={trans} />);
    const meter = screen.getByRole('meter', { name: 'Memory' });
    expect(meter.getAttribute('aria-valuenow')).toBe('25');
    expect(screen.queryByRole('meter', { name: 'Processor' })).toBeNull();
    expect(screen.getByText('0.5 cores')).toBeTruthy();
  });

  it('is asked for only while it can be seen', async () => {
    jest.useFakeTimers();
    const work = jest.fn(async () => undefined);
    let seen = false;
    const rects = jest
      .spyOn(Element.prototype, 'getClientRects')
      .mockImplementation(() => (seen ? [{}] : []) as unknown as DOMRectList);
    const Probe = () => {
      const node = React.useRef<HTMLDivElement>(null);
      useWhileSeen(node, 1000, work);
      return <div ref={node} />;
    };
    const { unmount } = render(<Probe />);
    const pass = (ms: number) =>
      act(async () => jest.advanceTimersByTimeAsync(ms));
    await pass(5000);
    expect(work).not.toHaveBeenCalled();
    seen = true;
    await pass(1000);
    expect(work).toHaveBeenCalledTimes(1);
    await pass(2000);
    expect(work).toHaveBeenCalledTimes(3);
    seen = false;
    await pass(5000);
    expect(work).toHaveBeenCalledTimes(3);
    seen = true;
    unmount();
    await pass(5000);
    expect(work).toHaveBeenCalledTimes(3);
    rects.mockRestore();
    jest.useRealTimers();
  });
});
