/** A client of the contract: trusts exactly one authority, sends the bearer token, throws errors of the catalogue. */
import { Agent, request } from 'undici';
import { DrError, errorCatalogue, isErrorCode } from '../domain/errors.ts';
import type { Secret } from '../domain/ports.ts';
import { errorBodySchema, type ErrorBody } from './common.ts';
import type { Route, RouteInput, RouteOutput } from './route.ts';

export interface ClientOptions {
  /** `https://host:port` */
  readonly server: string;
  /** PEM of the only authority that is trusted. */
  readonly authorityPem: string;
  readonly token: Secret;
  /** Longest wait for an answer; discovery of a large vCenter is the slowest. */
  readonly timeoutMs?: number;
}

export interface Client {
  /** @throws ApiError, DR_SERVER_UNREACHABLE, DR_SERVER_CERTIFICATE */
  call<R extends Route>(route: R, input: RouteInput<R>): Promise<RouteOutput<R>>;
  close(): Promise<void>;
}

/** The configuration server refused or failed; code, message and remedy are its own. */
export class ApiError extends Error {
  readonly body: ErrorBody;
  readonly status: number;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.name = 'ApiError';
    this.status = status;
    this.body = body;
  }

  get code(): string {
    return this.body.code;
  }

  /** A code that this client does not know yet counts as an unexpected failure. */
  get exit(): number {
    return isErrorCode(this.body.code) ? errorCatalogue[this.body.code].exit : 1;
  }
}

interface Input {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
}

const DEFAULT_TIMEOUT_MS = 90_000;
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

export function createClient(options: ClientOptions): Client {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const dispatcher = new Agent({
    connect: { ca: options.authorityPem, timeout: 10_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: ANSWER_BYTES_MAX,
  });
  return {
    async call<R extends Route>(route: R, given: RouteInput<R>): Promise<RouteOutput<R>> {
      const input = given as Input;
      const answer = await send(`${options.server}${target(route.path, input)}`, {
        dispatcher,
        method: route.method,
        headers: {
          authorization: `Bearer ${options.token.reveal()}`,
          ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
      });
      const expected = answer.status === route.status ? route.response : errorBodySchema;
      const isText = route.answers !== undefined && expected !== errorBodySchema;
      const content = expected.safeParse(isText ? answer.text : jsonOf(answer.text));
      if (!content.success) {
        const reason = `HTTP ${answer.status} with another content than agreed; compare the versions of both`;
        throw new DrError('DR_SERVER_UNREACHABLE', { url: options.server, reason }, { cause: content.error });
      }
      if (expected === errorBodySchema) throw new ApiError(answer.status, content.data as ErrorBody);
      return content.data as RouteOutput<R>;
    },
    close: () => dispatcher.close(),
  };
}

function target(path: string, input: Input): string {
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(input.params?.[name] ?? ''),
  );
  const query = Object.entries(input.query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
}

async function send(
  url: string,
  options: Parameters<typeof request>[1],
): Promise<{ status: number; text: string }> {
  try {
    const answer = await request(url, options);
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    throw connectionError(new URL(url).origin, error as NodeJS.ErrnoException);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Codes of OpenSSL and Node for a chain that does not end at the pinned authority, or is not for this host. */
const untrusted =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT_ALTNAME_INVALID)/;

function connectionError(url: string, error: NodeJS.ErrnoException): DrError {
  const code = error.code ?? error.name;
  return untrusted.test(code)
    ? new DrError('DR_SERVER_CERTIFICATE', { url }, { cause: error })
    : new DrError('DR_SERVER_UNREACHABLE', { url, reason: code }, { cause: error });
}
