import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { waitFor } from '../../lab/wait.ts';
import { workflowBuild } from '../../workers/bundle.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';

/** Session outcomes, at some 8 events each: enough to pass the product's own limit once. */
const OUTCOMES = 450;
const WITHIN_MS = 120_000;
const EVENTS_MAX = 4_000;

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
}, 400_000);
afterAll(() => plane.stop(), 60_000);

it(`keeps every history of an item below ${EVENTS_MAX} events in a storm of session outcomes`, async () => {
  await plane.startServer(await workflowBuild(), 'appliance');
  plane.site.storm = OUTCOMES;
  const item = await plane.protect();
  await waitFor(() => plane.site.storm === 0 && plane.site.sessionsOf(item).at(-1)?.what === 'began', {
    what: 'the storm to pass',
    withinMs: WITHIN_MS,
  });
  const lengths = await plane.eventCounts(item);
  process.stdout.write(`  events by run: ${lengths.join(', ')}\n`);
  expect(Math.max(...lengths)).toBeLessThan(EVENTS_MAX);
  expect(lengths.length).toBeGreaterThan(1);
}, 180_000);
