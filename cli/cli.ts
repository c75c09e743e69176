/** What every command works with. */
import { Command } from '@commander-js/extra-typings';
import type { Client } from '../api/client.ts';
import type { Route, RouteInput, RouteOutput } from '../api/route.ts';
import { connect, type ConnectionOptions } from './connection.ts';
import type { Io } from './io.ts';

export interface GlobalOptions extends ConnectionOptions {
  readonly output: 'text' | 'json';
}

/** Lists are read to their end, a page at a time. */
const PAGES_MAX = 1_000;

export class Cli {
  readonly io: Io;
  /** Exit code of the process; commands raise it where no error is thrown. */
  exitCode = 0;
  readonly #options: () => GlobalOptions;
  #client: Client | undefined;

  constructor(io: Io, options: () => GlobalOptions) {
    this.io = io;
    this.#options = options;
  }

  get output(): 'text' | 'json' {
    return this.#options().output;
  }

  async call<R extends Route>(route: R, input: RouteInput<R>): Promise<RouteOutput<R>> {
    this.#client ??= await connect(this.#options(), this.io.env);
    return this.#client.call(route, input);
  }

  /** Every entry of a paged list. */
  async all<T>(
    page: (cursor: { cursor?: string }) => Promise<{ items: T[]; nextCursor?: string | undefined }>,
  ): Promise<T[]> {
    const entries: T[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < PAGES_MAX; pages += 1) {
      const { items, nextCursor } = await page(cursor === undefined ? {} : { cursor });
      entries.push(...items);
      if (nextCursor === undefined) break;
      cursor = nextCursor;
    }
    return entries;
  }

  /** One value, as people or as programs read it. */
  show<T>(value: T, asText: (value: T) => string): void {
    this.line(this.output === 'json' ? JSON.stringify(value, null, 2) : asText(value));
  }

  line(text: string): void {
    this.io.stdout.write(`${text}\n`);
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

/** A subcommand whose help ends with one full example. */
export function verb<const Name extends string>(name: Name, description: string, example: string) {
  return new Command(name)
    .description(description)
    .addHelpText('after', `\nExample:\n  $ switchback ${example}`);
}
