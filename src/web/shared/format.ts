// Figures for people: always with a unit, three digits that count, and a space that does not break.
const kUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const kGap = '\u00a0';

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function bytes(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 1023.5 && unit < kUnits.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? scaled.toFixed(0) : threeDigits(scaled)}${kGap}${kUnits[unit]}`;
}

export function rate(bytesPerSecond: number): string {
  return `${bytes(Math.max(0, bytesPerSecond))}/s`;
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return grouped.format(value);
}

export function perSecond(value: number): string {
  return `${value === 0 ? '0' : value < 999.5 ? threeDigits(value) : count(value)}${kGap}/s`;
}

/** Short spans, as of latencies. */
export function latency(seconds: number): string {
  if (seconds === 0) return `0${kGap}ms`;
  if (seconds < 0.000_999_5) return `${threeDigits(seconds * 1e6)}${kGap}µs`;
  if (seconds < 0.999_5) return `${threeDigits(seconds * 1e3)}${kGap}ms`;
  return `${threeDigits(seconds)}${kGap}s`;
}

/** Long spans, as of transfers and uptimes: the two largest units. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}${kGap}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${kGap}min${kGap}${String(whole % 60).padStart(2, '0')}${kGap}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${kGap}h${kGap}${String(minutes % 60).padStart(2, '0')}${kGap}min`;
  return `${Math.floor(hours / 24)}${kGap}d${kGap}${hours % 24}${kGap}h`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.floor(value).toFixed(0)}${kGap}%`;
}

const two = (value: number): string => String(value).padStart(2, '0');

export function clock(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function day(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The time alone for today, the day before it otherwise. */
export function moment(ms: number, now: number = Date.now()): string {
  return day(ms) === day(now) ? clock(ms) : `${day(ms)} ${clock(ms).slice(0, 5)}`;
}

export function plural(value: number, one: string, many: string): string {
  return `${count(value)}${kGap}${value === 1 ? one : many}`;
}

/** A name as it may be shown: characters that would be invisible, or turn the text around them, are spelled out. */
export function visible(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/** The last part of a path and what stands before it. */
export function splitPath(path: string): { folder: string; name: string } {
  const cut = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, cut), name: path.slice(cut) };
}
