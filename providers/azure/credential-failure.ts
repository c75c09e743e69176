/** Says what a failed token request means; `@azure/identity` throws errors of its own kind before any request leaves. */

const IDENTITY_ERRORS = new Set([
  'AuthenticationError',
  'AggregateAuthenticationError',
  'AuthenticationRequiredError',
  'CredentialUnavailableError',
]);

const NETWORK_TROUBLE = /network_error|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|timed out/i;

/** Null: not an error of the identity library. `reason` is its first line, which holds no secret. */
export function credentialFailure(
  error: unknown,
): { readonly kind: 'unreachable' | 'refused'; readonly reason: string } | null {
  if (!(error instanceof Error) || !IDENTITY_ERRORS.has(error.name)) return null;
  const reason = error.message.split('\n')[0] ?? error.name;
  return { kind: NETWORK_TROUBLE.test(error.message) ? 'unreachable' : 'refused', reason };
}
