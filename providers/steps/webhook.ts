/** Posts a signed JSON document. */
import { createHmac } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, request } from 'undici';
import type { Secret } from '../../domain/ports.ts';
import { startOf } from './body.ts';
import { oneLine, redact } from './redact.ts';

export interface WebhookPost {
  readonly url: string;
  readonly body: string;
  readonly secret: Secret;
  /** The same for every try of one step. */
  readonly idempotencyKey: string;
  /** PEM of a further authority to trust. */
  readonly tlsCa?: string;
}

export interface WebhookAnswer {
  readonly status: number;
  /** The start of the body, on one line. */
  readonly text: string;
  readonly ms: number;
}

const ANSWER_BYTES_MAX = 4 * 1024;
const ANSWER_LENGTH_MAX = 200;

/** What an address must be; undefined: it is that. */
export function refusedUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) return 'its address is no URL';
  if (url.username !== '' || url.password !== '') return 'its address holds a password';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return undefined;
  return 'its address must begin with https://';
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

/**
 * `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA-256 of `<t>.<body>`. A receiver compares it in constant time and
 * refuses a `t` that is some minutes old.
 */
export function signatureOf(body: string, secret: Secret, seconds: number): string {
  const digest = createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}

/** The public authorities, and one more. */
export function trust(tlsCa: string | undefined): { readonly ca?: string[] } {
  return tlsCa === undefined ? {} : { ca: [...rootCertificates, tlsCa] };
}

/** Redirections are not followed: what is signed goes where the plan says. @throws Error when no answer comes */
export async function postWebhook(post: WebhookPost, signal: AbortSignal): Promise<WebhookAnswer> {
  const { url, body, secret, idempotencyKey, tlsCa } = post;
  const dispatcher = new Agent({ pipelining: 0, connect: trust(tlsCa) });
  try {
    const from = performance.now();
    const answer = await request(url, {
      method: 'POST',
      dispatcher,
      signal,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'switchback',
        'idempotency-key': idempotencyKey,
        'x-switchback-signature': signatureOf(body, secret, Math.floor(Date.now() / 1000)),
      },
      body,
    });
    const text = redact(await startOf(answer.body, ANSWER_BYTES_MAX), [secret.reveal()]);
    const ms = Math.round(performance.now() - from);
    return { status: answer.statusCode, text: oneLine(text, ANSWER_LENGTH_MAX), ms };
  } finally {
    await dispatcher.destroy();
  }
}
