/** Errors as people and programs read them: what happened, what to do, where to look. Never a stack trace. */
import { ApiError } from '../../api/client.ts';
import { DrError, errorCatalogue } from '../../domain/errors.ts';

interface Told {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly requestId?: string;
}

export function exitOf(error: unknown): number {
  if (error instanceof ApiError) return error.exit;
  return error instanceof DrError ? errorCatalogue[error.code].exit : errorCatalogue.DR_INTERNAL.exit;
}

export function errorText(error: unknown, output: 'text' | 'json'): string {
  const told = tell(error);
  if (output === 'json') return JSON.stringify(told);
  const request = told.requestId === undefined ? '' : ` · request ${told.requestId}`;
  return [`Error: ${told.message}`, `What to do: ${told.remedy}`, `${told.code}${request}`].join('\n');
}

function tell(error: unknown): Told {
  if (error instanceof ApiError) {
    const { code, message, remedy, requestId } = error.body;
    return { code, message, remedy, requestId };
  }
  if (error instanceof DrError) return { code: error.code, message: error.message, remedy: error.remedy };
  const reason = error instanceof Error ? error.message : String(error);
  return tell(new DrError('DR_INTERNAL', { reason }));
}
