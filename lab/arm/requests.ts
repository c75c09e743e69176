import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './store.ts';

export interface LoggedRequest {
  readonly sequence: number;
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly bodySha256: string;
  readonly status: number;
  /** Error code of the answer. */
  readonly code: string | null;
  /** The connection was cut in place of the answer. */
  readonly isReset: boolean;
}

const KEPT_MAX = 20_000;

/** Mutating calls in the order they were answered; survives a kill of the process, not of the machine. */
export class RequestLog {
  readonly #path: string;
  readonly #entries: LoggedRequest[];
  #sequence: number;

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'requests.log');
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
    const lines = text.split('\n').slice(0, -1).slice(-KEPT_MAX);
    writeDurably(this.#path, lines.map((line) => `${line}\n`).join(''));
    this.#entries = lines.map((line) => JSON.parse(line) as LoggedRequest);
    this.#sequence = this.#entries.at(-1)?.sequence ?? 0;
  }

  add(request: Omit<LoggedRequest, 'sequence' | 'at' | 'bodySha256'> & { readonly body: string }): void {
    const { body, ...rest } = request;
    this.#sequence += 1;
    const entry: LoggedRequest = {
      sequence: this.#sequence,
      at: new Date().toISOString(),
      bodySha256: createHash('sha256').update(body).digest('hex'),
      ...rest,
    };
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    this.#entries.push(entry);
    if (this.#entries.length > KEPT_MAX) this.#entries.shift();
  }

  since(sequence: number): readonly LoggedRequest[] {
    return this.#entries.filter((entry) => entry.sequence > sequence);
  }
}
