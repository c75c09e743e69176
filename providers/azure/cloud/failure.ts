/** What went wrong in a call to Azure Resource Manager, whichever of its shapes the SDK gave it. */
import { credentialFailure } from '../credential-failure.ts';
import { DeadlineError } from '../deadline.ts';

export interface Failure {
  /** HTTP status; 0: no answer came; null: a long-running operation ended badly. */
  readonly status: number | null;
  /** Azure's error code, or the network's. */
  readonly code: string;
  readonly message: string;
}

interface RestErrorShape extends Error {
  readonly statusCode?: number;
  readonly code?: string;
}

/** Null: no failure of a call, but a bug or the caller's own abort. */
export function failureOf(error: unknown): Failure | null {
  const identity = credentialFailure(error);
  if (identity !== null) {
    const status = identity.kind === 'unreachable' ? 0 : 401;
    return { status, code: 'AuthenticationFailed', message: readable(identity.reason) };
  }
  if (!(error instanceof Error)) return null;
  if (error.name === 'RestError') return restFailure(error);
  if (error instanceof DeadlineError || error.name === 'AbortError') {
    return { status: 0, code: 'Timeout', message: error.message };
  }
  return operationFailure(error.message);
}

function restFailure(error: RestErrorShape): Failure {
  const { statusCode: status = 0, code = status === 0 ? 'NetworkError' : `HTTP${status}`, message } = error;
  return { status, code, message: readable(message || code) };
}

/** The SDK throws a plain Error when an operation failed; Azure's code is in its text only. */
function operationFailure(text: string): Failure | null {
  if (text === 'Operation was canceled') return { status: null, code: 'Canceled', message: text };
  const match = /^The long-running operation has failed(?:\. ([A-Za-z]\w*)\. (.*))?/s.exec(text);
  if (match === null) return null;
  const [, code = 'OperationFailed', message = 'Azure gave no reason'] = match;
  return { status: null, code, message: readable(message) };
}

const MESSAGE_LENGTH_MAX = 500;

/** One line, of bearable length, without the signature of a URL Azure may echo. */
function readable(message: string): string {
  return message
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/sig=[^&\s"']+/gi, 'sig=•••')
    .trim()
    .slice(0, MESSAGE_LENGTH_MAX);
}
