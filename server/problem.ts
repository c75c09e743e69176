import type { DrError } from '../domain/errors.ts';

/** Code, message and remedy of an error that is told inside a good answer. */
export function problemOf(error: DrError) {
  return { code: error.code, message: error.message, remedy: error.remedy };
}
