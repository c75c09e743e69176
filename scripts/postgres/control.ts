/** Tries each sabotage on seeded points and counts how often the database notices; asks the product what it says to such streams. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../test/support/random.ts';
import type { Expected } from './books.ts';
import { examine } from './examine.ts';
import { sha256Of } from './images.ts';
import { refusals } from './refusals.ts';
import { applied, sabotages, type PointFacts, type SabotageName, type Victim } from './sabotage.ts';
import type { Tools } from './tools.ts';

/** A point that holds, and what it must hold. */
export interface GoodPoint extends PointFacts {
  readonly expected: Expected;
}

export interface Trial {
  readonly sabotage: SabotageName;
  readonly what: string;
  /** Empty: nobody noticed. */
  readonly problems: readonly string[];
}

export interface ControlOptions extends Pick<Victim, 'stream' | 'diskIds'> {
  readonly tools: Tools;
  /** In the order they were made. */
  readonly points: readonly GoodPoint[];
  readonly trials: number;
  readonly random: Random;
  readonly folder: string;
  readonly onTrial: (trial: Trial) => void;
}

/** As many trials of each kind as asked for, or as there are points that a kind can be tried on. */
export async function control(options: ControlOptions): Promise<Trial[]> {
  const done: Trial[] = [];
  for (const name of Object.keys(sabotages) as SabotageName[]) {
    let tried = 0;
    for (const victim of options.random.shuffled(victimsOf(options))) {
      if (tried === options.trials) break;
      const trial = await tryOn(options, name, victim);
      if (trial === null) continue;
      tried += 1;
      done.push(trial);
      options.onTrial(trial);
    }
  }
  return done;
}

/** Whether the control's own way of applying a stream, with nothing left out, makes exactly the point. */
export async function isFaithful(options: ControlOptions): Promise<boolean> {
  const folder = join(options.folder, 'faithful');
  const victim = victimsOf(options).at(-1);
  const images = victim === undefined ? null : await applied(victim, folder);
  if (victim === undefined || images === null) return false;
  const [made, taken] = await Promise.all([hashes(images), hashes(victim.points[2].images)]);
  return made.join() === taken.join();
}

/** What the product says to streams like these: an error code for each. */
export async function refusedByProduct(options: ControlOptions): Promise<Readonly<Record<string, string>>> {
  const victim = victimsOf(options).at(-1);
  return victim === undefined ? {} : refusals(victim);
}

function victimsOf({
  points,
  stream,
  diskIds,
}: ControlOptions): (Victim & { readonly expected: Expected })[] {
  return points.flatMap((point, index) => {
    const [first, before] = [points[index - 2], points[index - 1]];
    if (first === undefined || before === undefined) return [];
    return [{ points: [first, before, point] as const, stream, diskIds, expected: point.expected }];
  });
}

async function tryOn(
  { tools, random, folder }: ControlOptions,
  sabotage: SabotageName,
  victim: Victim & { readonly expected: Expected },
): Promise<Trial | null> {
  const spoiltFolder = join(folder, 'spoilt');
  try {
    const spoilt = await sabotages[sabotage](victim, (count) => random.below(count), spoiltFolder);
    if (spoilt === null) return null;
    const { images, what } = spoilt;
    const { problems } = await examine({
      tools,
      images,
      expected: victim.expected,
      folder: join(folder, 'copy'),
    });
    return { sabotage, what, problems };
  } finally {
    await rm(spoiltFolder, { recursive: true, force: true });
  }
}

function hashes(images: readonly string[]): Promise<string[]> {
  return Promise.all(images.map(sha256Of));
}
