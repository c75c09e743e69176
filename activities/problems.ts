/** Checks answer with problems; what stops a check from being made is thrown. */
import { DrError, type ErrorCode } from '../domain/errors.ts';

/** A failure of one of `codes` is a problem that was found; anything else stays thrown. */
export async function asProblems(
  codes: readonly ErrorCode[],
  check: () => Promise<DrError[]>,
): Promise<DrError[]> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof DrError && codes.includes(error.code)) return [error];
    throw error;
  }
}
