import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import type { Fault, Json } from './model.ts';

const BODY_BYTES_MAX = 4 * 1024 * 1024;

export interface ArmRequest {
  readonly method: string;
  /** Decoded path, case as sent. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly apiVersion: string;
  readonly fault: Fault | undefined;
}

export interface Answer {
  readonly status: number;
  readonly json?: Json;
  readonly body?: string | Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer in ARM's error form `{error: {code, message}}`. */
export class ArmError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ArmError';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  answer(): Answer {
    return {
      status: this.status,
      json: { error: { code: this.code, message: this.message } },
      headers: this.headers,
    };
  }
}

export function parseBody<T>(request: ArmRequest, schema: z.ZodType<T>): T {
  const result = schema.safeParse(parseJson(request.body));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ArmError(
    400,
    'InvalidParameter',
    `Parameter '${issue?.path.join('.') ?? ''}' is missing or not valid: ${issue?.message ?? 'unknown'}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw new ArmError(
      400,
      'InvalidRequestContent',
      'The request content was invalid and could not be deserialized.',
    );
  }
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new ArmError(413, 'RequestEntityTooLarge', 'The request is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export async function sendAnswer(response: ServerResponse, answer: Answer): Promise<void> {
  const requestId = randomUUID();
  const headers: Record<string, string> = {
    'cache-control': 'no-cache',
    'x-ms-request-id': requestId,
    'x-ms-correlation-request-id': requestId,
    ...(answer.json === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    ...answer.headers,
  };
  const body = answer.json === undefined ? answer.body : JSON.stringify(answer.json);
  if (typeof body !== 'object') {
    if (headers['content-length'] === undefined && answer.status !== 204)
      headers['content-length'] = String(Buffer.byteLength(body ?? ''));
    response.writeHead(answer.status, headers).end(body);
    return;
  }
  response.writeHead(answer.status, headers);
  await pipeline(body, response);
}
