/** Commands of the docs that move machines, each as it stands there, through the real CLI on one practice ground. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { PracticeResult } from '../support/harness.ts';
import { seededRandom } from '../support/random.ts';
import { wordsOf } from './support/doc-commands.ts';
import { GroundStage } from './support/ground-stage.ts';
import { groundStory, type GroundScene } from './support/ground-story.ts';

let stage: GroundStage;
/** Of scenes that go on while later ones are typed. */
const goingOn: { readonly line: string; readonly ended: Promise<PracticeResult> }[] = [];

beforeAll(async () => {
  stage = await GroundStage.open(seededRandom('commands of the docs').seed);
}, 400_000);
afterAll(() => stage?.close(), 60_000);

function typed({ line, fill = {}, isConfirmed }: GroundScene): string[] {
  const words = wordsOf(line)
    .slice(1)
    .map((word) => {
      const value = fill[word];
      return typeof value === 'function' ? value(stage) : (value ?? word);
    });
  return isConfirmed === true ? [...words, '--yes'] : words;
}

async function serves(words: readonly string[], until: string): Promise<void> {
  const stop = new AbortController();
  let printed = '';
  const onOutput = (text: string) => {
    printed += text;
    if (printed.includes(until)) stop.abort();
  };
  await stage.practice.switchback(words, { onOutput, signal: stop.signal }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  expect(printed).toContain(until);
}

async function play(scene: GroundScene): Promise<void> {
  const words = typed(scene);
  const { line, until, goesOn, exit = 0 } = scene;
  if (until !== undefined) return serves(words, until);
  const running = stage.practice.switchback(words);
  if (goesOn === true) goingOn.push({ line, ended: running });
  else {
    const { exitCode, stdout, stderr } = await running;
    expect({ exitCode, told: exitCode === exit ? '' : stdout + stderr }).toEqual({
      exitCode: exit,
      told: '',
    });
  }
}

test.each(groundStory)(
  '$line',
  async (scene) => {
    await scene.before?.(stage);
    try {
      await play(scene);
    } finally {
      await scene.after?.(stage);
    }
  },
  300_000,
);

test('what went on while others were typed has ended well', async () => {
  for (const { line, ended } of goingOn) {
    const { exitCode, stdout, stderr } = await ended;
    expect({ line, exitCode, told: exitCode === 0 ? '' : stdout + stderr }).toEqual({
      line,
      exitCode: 0,
      told: '',
    });
  }
}, 300_000);
