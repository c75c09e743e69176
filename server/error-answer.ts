/** Every failure leaves the server as `{code, message, remedy, context, requestId}` with the status of the catalogue. */
import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { ErrorBody } from '../api/common.ts';
import { DrError, errorCatalogue } from '../domain/errors.ts';
import { catalogueError } from './catalogue/open.ts';

export function errorAnswer(error: DrError, requestId: string): { status: number; body: ErrorBody } {
  const { code, message, remedy, context } = error;
  return {
    status: errorCatalogue[code].http,
    body: { code, message, remedy, context: { ...context }, requestId },
  };
}

/** An error that is none of ours says nothing to the outside but where to look; the log holds the rest. */
export function toDrError(thrown: FastifyError | Error): DrError {
  if (thrown instanceof DrError) return thrown;
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const part = 'validationContext' in thrown ? thrown.validationContext : 'request';
    const problems = thrown.validation.map(
      (issue) => `${fieldOf(part, issue)}: ${issue.message ?? 'is not valid'}`,
    );
    return new DrError('DR_REQUEST_INVALID', { problems: problems.join('; ') });
  }
  const error = catalogueError(thrown);
  if (error instanceof DrError) return error;
  if ('statusCode' in thrown && thrown.statusCode !== undefined && thrown.statusCode < 500) {
    return new DrError('DR_REQUEST_INVALID', { problems: thrown.message }, { cause: thrown });
  }
  return new DrError('DR_INTERNAL', { reason: 'see the log' }, { cause: thrown });
}

const parts: Readonly<Record<string, string>> = { querystring: 'query' };

/** `/target/size` of the body → `body.target.size`. */
function fieldOf(part: string, issue: { readonly instancePath: string }): string {
  return [parts[part] ?? part, ...issue.instancePath.split('/').filter((step) => step !== '')].join('.');
}
