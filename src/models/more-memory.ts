import type { LimitChoice } from '../api/nouns';

/**
 * Bytes to offer to a kernel that ran out of memory at `limit`: twice that, or what the machine
 * and the server's ceiling allow. 0 when that is no more.
 */
export function moreMemory(limit: number, choice: LimitChoice): number {
  const most = Math.min(
    choice.ceiling.memory || Infinity,
    choice.machine.memory || Infinity
  );
  const more = Math.min(2 * limit, most);
  return choice.enforced && limit > 0 && more > limit ? more : 0;
}
