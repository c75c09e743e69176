/** Everything `npm run bench` can measure, in the order it does. */
import type { Scenario } from './bench-run.ts';
import { copyScenario } from './scenarios/copy.ts';
import { floorScenario } from './scenarios/floor.ts';
import { profileScenario } from './scenarios/profile.ts';

export const scenarios: readonly Scenario[] = [copyScenario, floorScenario, profileScenario];
