/** Rows written one after the other, each with the time its commit was acknowledged: what a later point must hold. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';

const EVERY_MS = 200;

export async function createMarkers(client: Client): Promise<void> {
  await client.query('create table marker (seq bigint primary key, written timestamptz not null)');
}

export class Markers {
  readonly #acknowledgedMs: number[] = [];
  readonly #client: Client;
  readonly #writing: Promise<void>;
  #isOver = false;

  /** Writes through `client` from now on. */
  constructor(client: Client) {
    this.#client = client;
    this.#writing = this.#write();
    // A failure is met by whoever stops it.
    this.#writing.catch(() => undefined);
  }

  /** Number of the last marker whose commit was acknowledged before that moment; 0: none. */
  acknowledgedBefore(ms: number): number {
    const later = this.#acknowledgedMs.findIndex((at) => at >= ms);
    return later === -1 ? this.#acknowledgedMs.length : later;
  }

  /** @throws Error when a marker could not be written */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
    await this.#client.end();
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      const seq = this.#acknowledgedMs.length + 1;
      await this.#client.query('insert into marker values ($1, now())', [seq]);
      this.#acknowledgedMs.push(Date.now());
      await pause(EVERY_MS);
    }
  }
}
