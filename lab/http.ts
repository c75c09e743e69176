/** JSON over HTTPS to a server of the practice ground that shows exactly one certificate, or one of its authority. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';

export interface LabClient {
  /** @throws Error with the server's answer when it is not a success */
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  delete<T>(path: string, query?: Query): Promise<T>;
  close(): Promise<void>;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** Hashing a large disk takes a while. */
const ANSWER_MS = 10 * 60_000;

export function labClient(url: string, certificateFile: string): LabClient {
  // Read for each connection: the practice vCenter's certificate may be replaced while it runs.
  let agent: Agent | undefined;
  let pem = '';
  const dispatcher = async () => {
    const current = await readFile(certificateFile, 'utf8');
    if (agent !== undefined && current === pem) return agent;
    pem = current;
    const ca = current;
    agent = new Agent({ connect: { ca }, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
    return agent;
  };
  const send = async <T>(method: 'GET' | 'POST' | 'DELETE', target: string, body?: unknown): Promise<T> => {
    const answer = await request(`${url}${target}`, {
      method,
      dispatcher: await dispatcher(),
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${target}: HTTP ${answer.statusCode} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  return {
    get: (path, query) => send('GET', target(path, query)),
    post: (path, body) => send('POST', path, body),
    delete: (path, query) => send('DELETE', target(path, query)),
    close: async () => {
      await agent?.close();
    },
  };
}

function target(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}
