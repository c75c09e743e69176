/** One vCenter's SOAP endpoint: orders and sends a request over the pinned connection, and names what went wrong. No session here. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type AxiosInstance, create as createHttp } from 'axios';
import soap, { type Client, type IOptions } from 'soap';
import { DrError } from '../../domain/errors.ts';
import type { VCenterConnection } from '../../domain/ports.ts';
import { faultOfAnswer, VimFault } from './faults.ts';
import { createElementOrder } from './order.ts';
import type { VimRequest } from './requests.ts';
import { PinnedAgent, unreachable } from './tls.ts';
import { asRecord, typeOf } from './values.ts';

const WSDL_PATH = fileURLToPath(new URL('./wsdl/vim.wsdl', import.meta.url));
/** Longer than any long poll of this room. */
const ANSWER_SECONDS_MAX = 120;
/** Oldest API this room speaks; the first call goes out with it. */
const API_VERSION_MIN = '6.7';
/** API of the release the WSDL was generated for. */
const API_VERSION_MAX = '8.0.2.0';

export interface CallOptions {
  readonly cookie?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  /** `returnval` of the response; undefined when it has none. */
  readonly value: unknown;
  /** Name and value of the session cookie, when the answer set one. */
  readonly cookie: string | undefined;
}

export interface JsonRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** What the service knows the caller by. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface VimClient {
  /** @throws VimFault, DR_VCENTER_UNREACHABLE, DR_VCENTER_CERTIFICATE_CHANGED, or the signal's reason */
  call(request: VimRequest, options?: CallOptions): Promise<Answer>;
  /** From here on speaks the newest API version that both sides know. */
  agreeOn(apiVersion: string): void;
  /** A JSON request to another service of the same host, over the same pinned connection. Any status is an answer. */
  json(request: JsonRequest): Promise<JsonAnswer>;
  close(): void;
}

export async function createVimClient(connection: VCenterConnection): Promise<VimClient> {
  const agent = new PinnedAgent(connection);
  const http = createHttp({
    httpsAgent: agent,
    proxy: false,
    maxRedirects: 0,
    timeout: ANSWER_SECONDS_MAX * 1000,
    maxContentLength: Infinity,
    maxBodyLength: Infinity,
  });
  const { origin } = new URL(connection.url);
  const client = await soap.createClientAsync(WSDL_PATH, {
    endpoint: `${origin}/sdk`,
    // The library's CommonJS types and ours name the same class twice.
    request: http as unknown as NonNullable<IOptions['request']>,
  });
  client.setSOAPAction(`urn:vim25/${API_VERSION_MIN}`);
  const order = createElementOrder(client.wsdl);

  async function call(request: VimRequest, { cookie, signal }: CallOptions = {}): Promise<Answer> {
    signal?.throwIfAborted();
    const args = order.sort(request.operation, request.args);
    const exchange = watchCookie(client);
    try {
      const value = await send(client, request.operation, args, {
        options: { exchangeId: exchange.id, ...(signal === undefined ? {} : { signal }) },
        headers: cookie === undefined ? {} : { Cookie: cookie },
      });
      refuseMissingSession(value);
      return { value, cookie: exchange.cookie() };
    } catch (error) {
      signal?.throwIfAborted();
      throw translate(error, connection.url);
    } finally {
      exchange.end();
    }
  }

  return {
    call,
    agreeOn: (apiVersion) => client.setSOAPAction(`urn:vim25/${olderVersion(apiVersion, API_VERSION_MAX)}`),
    json: (request) => sendJson(http, origin, request),
    close: () => agent.destroy(),
  };
}

type SoapMethod = (
  args: unknown,
  options: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>>,
) => Promise<readonly unknown[]>;

async function send(
  client: Client,
  operation: string,
  args: unknown,
  extra: {
    readonly options: Readonly<Record<string, unknown>>;
    readonly headers: Readonly<Record<string, string>>;
  },
): Promise<unknown> {
  const method = client[`${operation}Async`] as SoapMethod;
  const [response] = await method(args, extra.options, extra.headers);
  return asRecord(response)?.['returnval'];
}

async function sendJson(http: AxiosInstance, origin: string, request: JsonRequest): Promise<JsonAnswer> {
  const { method, path, headers, body, signal } = request;
  try {
    const answer = await http.request<unknown>({
      url: `${origin}${path}`,
      method,
      headers,
      validateStatus: null,
      ...(body === undefined ? {} : { data: body }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: answer.status, body: answer.data };
  } catch (error) {
    signal?.throwIfAborted();
    throw translate(error, origin);
  }
}

/** The library keeps the headers of its latest response only; concurrent calls are told apart by their exchange id. */
function watchCookie(client: Client) {
  const id = randomUUID();
  let cookie: string | undefined;
  const onResponse = (_body: unknown, response: unknown, exchangeId: string) => {
    if (exchangeId !== id) return;
    const set = asRecord(asRecord(response)?.['headers'])?.['set-cookie'];
    const first: unknown = Array.isArray(set) ? set[0] : set;
    if (typeof first === 'string') cookie = first.split(';')[0];
  };
  client.on('response', onResponse);
  return { id, cookie: () => cookie, end: () => client.removeListener('response', onResponse) };
}

/** Reading properties without a session is not refused: every object comes back with all of them missing. */
function refuseMissingSession(value: unknown): void {
  const objects = asRecord(value)?.['objects'];
  if (!Array.isArray(objects)) return;
  const lacksSession = (object: unknown) => {
    const missing = asRecord(object)?.['missingSet'];
    return (
      Array.isArray(missing) &&
      missing.some((entry) => typeOf(asRecord(asRecord(entry)?.['fault'])?.['fault']) === 'NotAuthenticated')
    );
  };
  if (objects.some(lacksSession)) throw new VimFault('NotAuthenticated', '');
}

function translate(error: unknown, url: string): unknown {
  const fault = error instanceof VimFault ? error : faultOfAnswer(error);
  if (fault !== undefined) return fault;
  const refused = causes(error).find((cause) => cause instanceof DrError);
  if (refused !== undefined) return refused;
  const status = asRecord(asRecord(error)?.['response'])?.['status'];
  return unreachable(url, typeof status === 'number' ? new Error(`HTTP ${status}`) : error);
}

const CAUSES_MAX = 5;

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let next = error; next instanceof Error && chain.length < CAUSES_MAX; next = next.cause)
    chain.push(next);
  return chain;
}

function olderVersion(a: string, b: string): string {
  return a.localeCompare(b, 'en', { numeric: true }) < 0 ? a : b;
}
