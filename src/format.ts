import type { TranslationBundle } from '@jupyterlab/translation';

/** Bytes for people: `41 MB`, `1.2 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 10 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** Memory as limits are written, in powers of 1024: `300 MiB`, `1.5 GiB`. */
export function formatMemory(bytes: number): string {
  const units = ['MiB', 'GiB', 'TiB'];
  let value = bytes / 1024 ** 2;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // At most three digits, and none that say nothing.
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${units[unit]}`;
}

/** Seconds as a clock: `0:41`, `1:02:03`. */
export function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [
    Math.floor(whole / 3600),
    Math.floor((whole % 3600) / 60),
    whole % 60
  ];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** Seconds of a step that has ended: `0.4 s`, `12 s`, `2:05`. */
export function formatSeconds(seconds: number): string {
  if (seconds >= 100) {
    return formatClock(seconds);
  }
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

/** A span of time in one unit: `25 min`, `3 h`, `2 d`. */
export function formatSpan(
  milliseconds: number,
  trans: TranslationBundle
): string {
  const minutes = Math.abs(milliseconds) / 60_000;
  if (minutes < 60) {
    return trans.__('%1 min', Math.round(minutes));
  }
  const hours = minutes / 60;
  return hours < 24
    ? trans.__('%1 h', Math.round(hours))
    : trans.__('%1 d', Math.round(hours / 24));
}

/** The reminder of a planned end: `Planned to end 3 h ago`; empty without one. */
export function formatPlannedEnd(
  iso: string,
  trans: TranslationBundle,
  now: number = Date.now()
): string {
  const left = new Date(iso).getTime() - now;
  if (Number.isNaN(left)) {
    return '';
  }
  const span = formatSpan(left, trans);
  return left < 0
    ? trans.__('Planned to end %1 ago', span)
    : trans.__('Planned to end in %1', span);
}

/** When something happened: `today 10:31`, `yesterday`, `3 Nov 2026`. */
export function formatWhen(
  iso: string,
  trans: TranslationBundle,
  now: Date = new Date()
): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) {
    return '';
  }
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Math.ceil((midnight.getTime() - then.getTime()) / 86_400_000);
  if (days <= 0) {
    const time = then.toLocaleTimeString([], {
      hour: '2-digit',
      minute: '2-digit'
    });
    return trans.__('today %1', time);
  }
  if (days === 1) {
    return trans.__('yesterday');
  }
  return then.toLocaleDateString([], {
    day: 'numeric',
    month: 'short',
    year: 'numeric'
  });
}

/** Seconds between two moments; the second is now when it is empty. */
export function elapsed(
  started: string,
  ended: string,
  now: Date = new Date()
): number {
  const end = ended ? new Date(ended) : now;
  return Math.max(0, (end.getTime() - new Date(started).getTime()) / 1000);
}
