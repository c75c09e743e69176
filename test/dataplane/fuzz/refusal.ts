/** Tells a refusal by name from a crash. */
import { DrError } from '../../../domain/errors.ts';
import { Finding } from './target.ts';

const TEXT_MAX = 120;
const ACCIDENTS: ReadonlySet<string> = new Set([
  'TypeError',
  'RangeError',
  'ReferenceError',
  'AssertionError',
]);
/** What zlib says when it would decompress to more than it was allowed. */
const OUTPUT_BOUND = 'ERR_BUFFER_TOO_LARGE';

/** Answers `accepted`, or the refusal. @throws Finding for an error that nobody meant */
export function refusalOf(work: () => void): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return named(error);
  }
}

/** As `refusalOf`, for work that takes its time. */
export async function eventualRefusalOf(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return named(error);
  }
}

/** Texts that differ in numbers and ids only are one refusal. */
function named(error: unknown): string {
  if (error instanceof Finding) throw error;
  const cause = accident(error);
  if (cause !== null) throw new Finding(`${cause.name}: ${cause.message}`, { cause: error });
  if (!(error instanceof DrError)) throw new Finding(`no error of the catalogue: ${String(error)}`);
  const { reason = '' } = error.context as { readonly reason?: string };
  const text = `${error.code} ${reason}`.replaceAll(/[0-9a-f]{16,}/g, 'h').replaceAll(/\d+/g, 'n');
  return text.slice(0, TEXT_MAX);
}

/** An error of the language or of Node anywhere behind a refusal: the bytes got further than they should. */
function accident(error: unknown): Error | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { name, code } = at as NodeJS.ErrnoException;
    if (ACCIDENTS.has(name) && code !== OUTPUT_BOUND) return at;
  }
  return null;
}
