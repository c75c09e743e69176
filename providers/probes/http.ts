import { isIPv6 } from 'node:net';
import { Client } from 'undici';
import { startOf } from '../steps/body.ts';
import { oneLine } from '../steps/redact.ts';
import { look, type Look } from './look.ts';

export interface HttpTarget {
  readonly address: string;
  /** `{address}` stands for the address. */
  readonly url: string;
  readonly status: number;
  /** The body must hold it. */
  readonly body?: string;
}

/** What is looked through; a body may be longer. */
const BODY_BYTES_MAX = 256 * 1024;
const EXCERPT_LENGTH_MAX = 200;

/**
 * Holds when the answer has the status and its body, as far as it is read, the text. A connection of its own each
 * time; redirections are not followed; certificates are not checked, that is the certificate probe's.
 */
export function lookHttp(target: HttpTarget, signal: AbortSignal): Promise<Look> {
  return look(signal, async (signal) => {
    const url = urlOf(target);
    const client = new Client(url.origin, { pipelining: 0, connect: { rejectUnauthorized: false } });
    try {
      const from = performance.now();
      const { statusCode, body } = await client.request({
        path: url.pathname + url.search,
        method: 'GET',
        headers: { 'user-agent': 'switchback', connection: 'close' },
        signal,
      });
      const text = await startOf(body, BODY_BYTES_MAX);
      return judged(target, { statusCode, text, ms: Math.round(performance.now() - from) });
    } finally {
      await client.destroy();
    }
  });
}

function urlOf({ url, address }: HttpTarget): URL {
  return new URL(url.replaceAll('{address}', isIPv6(address) ? `[${address}]` : address));
}

function judged(
  { status, body }: HttpTarget,
  answer: { readonly statusCode: number; readonly text: string; readonly ms: number },
): Look {
  const { statusCode, text, ms } = answer;
  const isFound = body === undefined || text.includes(body);
  const excerpt = oneLine(text, EXCERPT_LENGTH_MAX);
  const problems = [
    ...(statusCode === status ? [] : [`not ${status}`]),
    ...(isFound ? [] : [`its body does not hold "${oneLine(body, EXCERPT_LENGTH_MAX)}"`]),
  ];
  const saw = `${statusCode} in ${ms} ms`;
  return {
    holds: problems.length === 0,
    saw: problems.length === 0 ? saw : `${saw}, ${problems.join(', ')}: ${excerpt}`,
    observed: { status: statusCode, ms, bodyBytes: Buffer.byteLength(text) },
  };
}
