import { RE2JS } from 're2js';
import type { CloudGuests } from '../../domain/ports.ts';
import { oneLine } from '../steps/redact.ts';
import { look, type Look } from './look.ts';

/** The end of a console log: what the machine said last. */
const LOG_BYTES_MAX = 128 * 1024;
const SHOWN_LENGTH_MAX = 200;

export type LogPattern = (line: string) => boolean;

/**
 * A pattern in RE2's syntax, looked for in one line at a time: it takes time in proportion to the log, whatever the
 * pattern. @throws Error with the reason when it is none
 */
export function logPattern(pattern: string): LogPattern {
  const compiled = RE2JS.compile(pattern);
  return (line) => compiled.matcher(line).find();
}

/** Holds when a line of the machine's console log matches. */
export function lookBootLog(
  guests: CloudGuests,
  { vmId, matches }: { readonly vmId: string; readonly matches: LogPattern },
  signal: AbortSignal,
): Promise<Look> {
  return look(signal, async (signal) => {
    const log = await guests.bootLog(vmId, LOG_BYTES_MAX, signal);
    const lines = log.split(/\r?\n/).filter((line) => line.trim() !== '');
    const found = lines.find(matches);
    const last = oneLine(lines.at(-1) ?? '', SHOWN_LENGTH_MAX);
    const shown = found === undefined ? '' : oneLine(found, SHOWN_LENGTH_MAX);
    if (found !== undefined)
      return { holds: true, saw: shown, observed: { line: shown, lines: lines.length } };
    const saw = last === '' ? 'the console log is empty' : `${lines.length} lines, the last is: ${last}`;
    return { holds: false, saw, observed: {} };
  });
}
