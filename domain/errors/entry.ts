/** `retry`: try again, it may pass. `pause`: an operator decides. `fail`: the operation ends, nothing more is tried. */
export type ErrorOutcome = 'retry' | 'pause' | 'fail';

export interface ErrorEntry {
  readonly outcome: ErrorOutcome;
  readonly http: number;
  /** CLI exit code by class: 2 bad input, 3 not found, 4 refused in this state, 5 credentials or trust, 6 a system out of reach, 7 data integrity, 8 a limit of the target. */
  readonly exit: number;
  /** `{name}` is replaced from the error's context. */
  readonly message: string;
  readonly remedy: string;
}

export const entry = (
  outcome: ErrorOutcome,
  http: number,
  exit: number,
  message: string,
  remedy: string,
): ErrorEntry => ({
  outcome,
  http,
  exit,
  message,
  remedy,
});
