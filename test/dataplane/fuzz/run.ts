/** Hands one input after the other to a target and writes down what became of them. */
import { BufferWatch } from './buffers.ts';
import { Finding, inputOf } from './target.ts';
import type { FuzzTarget } from './target.ts';

const FINDINGS_MAX = 10;
const MINIMISING_RUNS_MAX = 400;

export interface FuzzFinding {
  readonly target: string;
  readonly index: number;
  readonly what: string;
  readonly input: Uint8Array;
  readonly minimised: Uint8Array;
}

export interface FuzzResult {
  readonly target: string;
  readonly inputs: number;
  readonly milliseconds: number;
  /** How many inputs ended in which way. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The most that one input made the reader ask for. */
  readonly bufferBytes: number;
  readonly findings: readonly FuzzFinding[];
}

export interface FuzzPart {
  readonly seed: number;
  readonly inputs: number;
  /** Called before each input. */
  readonly onInput?: (index: number) => void;
}

/** Ends early after ten findings. */
export async function fuzz(target: FuzzTarget, { seed, inputs, onInput }: FuzzPart): Promise<FuzzResult> {
  const outcomes = new Map<string, number>();
  const findings: FuzzFinding[] = [];
  const watch = new BufferWatch();
  const startedAt = performance.now();
  let bufferBytes = 0;
  let index = 0;
  watch.start();
  try {
    for (; index < inputs && findings.length < FINDINGS_MAX; index += 1) {
      onInput?.(index);
      const input = inputOf(target, seed, index);
      const { outcome, finding, bytes } = await attempt(target, input, watch);
      bufferBytes = Math.max(bufferBytes, bytes);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (!finding) continue;
      const minimised = await minimise(target, input, outcome, watch);
      findings.push({ target: target.name, index, what: outcome, input, minimised });
    }
  } finally {
    watch.stop();
    await target.stop?.();
  }
  const milliseconds = performance.now() - startedAt;
  return { target: target.name, inputs: index, milliseconds, outcomes, bufferBytes, findings };
}

interface Attempt {
  readonly outcome: string;
  readonly finding: boolean;
  readonly bytes: number;
}

async function attempt(target: FuzzTarget, input: Buffer, watch: BufferWatch): Promise<Attempt> {
  watch.take();
  try {
    const outcome = await target.run(input);
    const bytes = watch.take();
    if (bytes <= target.bufferBytesMax) return { outcome, finding: false, bytes };
    return { outcome: `${input.length} bytes made it ask for more than its bound`, finding: true, bytes };
  } catch (error) {
    const outcome = error instanceof Finding ? error.message : `crash: ${String(error)}`;
    return { outcome, finding: true, bytes: watch.take() };
  }
}

/** Leaves out what is not needed for the same outcome: halves first, single bytes last. */
async function minimise(
  target: FuzzTarget,
  input: Buffer,
  outcome: string,
  watch: BufferWatch,
): Promise<Buffer> {
  let least = input;
  let runs = 0;
  for (let step = Math.ceil(input.length / 2); step >= 1; step = Math.floor(step / 2)) {
    for (let at = 0; at < least.length && runs < MINIMISING_RUNS_MAX; runs += 1) {
      const shorter = Buffer.concat([least.subarray(0, at), least.subarray(at + step)]);
      const again = await attempt(target, shorter, watch);
      if (again.finding && again.outcome === outcome) least = shorter;
      else at += step;
    }
  }
  return least;
}
