/** How hard to compress: as hard as the slower of link and processors makes worthwhile. */
import { cpus } from 'node:os';
import { MiB } from '../../domain/units.ts';

/** Levels of zstd. node:zlib takes -1 for its default; below -5 the bytes grow faster than the speed. */
const LEVELS = [-5, 1, 3] as const;
const STANDARD = LEVELS.indexOf(1);
/** As much as the uploads have in flight at once; what is above waits for the link. */
const BACKLOG_BYTES = 32 * MiB;
/** One level more costs 40 % more time in zstd and saves 7 % of the bytes. */
const IDLE_SHARE_SPARE = 0.25;
const IDLE_SHARE_NONE = 0.05;
/** Segments in a row that have to agree: 128 MiB of changes. */
const AGREEING_SEGMENTS = 16;
const IDLE_WINDOW_MS = 250;

export interface CompressionState {
  /** Position in `LEVELS`. */
  readonly step: number;
  /** Segments in a row that asked for more (positive) or for less. */
  readonly pressure: number;
}

/** How things stand when a segment is complete. */
export interface LinkLook {
  /** Complete segments that are not durable yet. */
  readonly backlogBytes: number;
  /** Of all processors of the machine, 0 … 1. */
  readonly cpuIdleShare: number;
}

export const STANDARD_COMPRESSION: CompressionState = { step: STANDARD, pressure: 0 };

type Rule = (look: LinkLook, step: number) => boolean;

/** The first row that holds decides; with none, things stay as they are. */
const rules: readonly { readonly wants: 1 | -1; readonly when: Rule }[] = [
  {
    // The link is behind and processors have nothing to do.
    wants: 1,
    when: ({ backlogBytes, cpuIdleShare }) =>
      backlogBytes > BACKLOG_BYTES && cpuIdleShare >= IDLE_SHARE_SPARE,
  },
  {
    // Compression takes time that something else is missing.
    wants: -1,
    when: ({ cpuIdleShare }, step) => cpuIdleShare <= IDLE_SHARE_NONE && step > STANDARD,
  },
  {
    // The link waits for the processors.
    wants: -1,
    when: ({ backlogBytes, cpuIdleShare }) => backlogBytes === 0 && cpuIdleShare <= IDLE_SHARE_NONE,
  },
];

export function levelOf({ step }: CompressionState): number {
  return LEVELS[step] ?? 1;
}

/** One segment says little: only a run of them that agree moves the level, and by one step. */
export function adaptCompression(state: CompressionState, look: LinkLook): CompressionState {
  const wants = rules.find(({ when }) => when(look, state.step))?.wants ?? 0;
  const step = state.step + wants;
  if (wants === 0 || LEVELS[step] === undefined) return { step: state.step, pressure: 0 };
  const pressure = Math.sign(state.pressure) === wants ? state.pressure + wants : wants;
  return Math.abs(pressure) < AGREEING_SEGMENTS ? { step: state.step, pressure } : { step, pressure: 0 };
}

/** Share of the machine's processor time that nobody used, over the last quarter of a second at least. */
class IdleMeter {
  #share = 1;
  #last = sampleCpus();

  read(): number {
    if (performance.now() - this.#last.atMs < IDLE_WINDOW_MS) return this.#share;
    const now = sampleCpus();
    const availableMs = (now.atMs - this.#last.atMs) * now.count;
    this.#share = Math.min(1, (now.idleMs - this.#last.idleMs) / availableMs);
    this.#last = now;
    return this.#share;
  }
}

function sampleCpus(): { readonly atMs: number; readonly count: number; readonly idleMs: number } {
  const all = cpus();
  const idleMs = all.reduce((sum, { times }) => sum + times.idle, 0);
  return { atMs: performance.now(), count: all.length, idleMs };
}

/** All disks of a process send over the same link. */
export class Compression {
  #state = STANDARD_COMPRESSION;
  readonly #idle = new IdleMeter();

  get level(): number {
    return levelOf(this.#state);
  }

  /** To be told of every complete segment. */
  observe(backlogBytes: number): void {
    this.#state = adaptCompression(this.#state, { backlogBytes, cpuIdleShare: this.#idle.read() });
  }
}

export const compression = new Compression();
