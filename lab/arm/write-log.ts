import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './store.ts';

export type Writer = 'import' | 'guest';

/** Writes of one writer to one disk without a pause of more than a second. */
export interface WriteSpan {
  readonly disk: string;
  readonly writer: Writer;
  /** When the guest came up; a span is of one such time. Null: an import. */
  readonly poweredOnAt: string | null;
  /** ms since 1970, as `lastAt`. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly bytes: number;
}

const PAUSE_MS = 1_000;
const SPANS_MAX = 20_000;

/** Who wrote to which disk and when, of deleted disks too; survives a kill of the process, not of the machine. */
export class WriteLog {
  readonly #path: string;
  #spans: WriteSpan[] = [];

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'writes.log');
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
    for (const line of text.split('\n').slice(0, -1)) this.#note(JSON.parse(line) as WriteSpan);
    writeDurably(this.#path, this.#spans.map((span) => `${JSON.stringify(span)}\n`).join(''));
  }

  imported(disk: string, bytes: number, firstAt: number): void {
    this.#add({ disk, writer: 'import', poweredOnAt: null, firstAt, lastAt: Date.now(), bytes });
  }

  guestWrote(disk: string, bytes: number, poweredOnAt: string): void {
    const now = Date.now();
    this.#add({ disk, writer: 'guest', poweredOnAt, firstAt: now, lastAt: now, bytes });
  }

  #add(span: WriteSpan): void {
    appendFileSync(this.#path, `${JSON.stringify(span)}\n`);
    this.#note(span);
  }

  spans(): readonly WriteSpan[] {
    return this.#spans;
  }

  #note(span: WriteSpan): void {
    const index = this.#spans.findLastIndex(({ disk }) => disk === span.disk);
    const last = this.#spans[index];
    const isSame = last?.writer === span.writer && last.poweredOnAt === span.poweredOnAt;
    if (isSame && span.firstAt - last.lastAt <= PAUSE_MS) {
      this.#spans[index] = { ...last, lastAt: span.lastAt, bytes: last.bytes + span.bytes };
      return;
    }
    this.#spans.push(span);
    if (this.#spans.length > SPANS_MAX) this.#spans.shift();
  }
}
