/** Everything `npm run bench` can measure, in the order it does. */
import type { Scenario } from './bench-run.ts';
import { churnScenario } from './scenarios/churn.ts';
import { copyScenario } from './scenarios/copy.ts';
import { eightScenario } from './scenarios/eight.ts';
import { failbackScenario } from './scenarios/failback.ts';
import { floorScenario } from './scenarios/floor.ts';
import { profileScenario } from './scenarios/profile.ts';
import { scanScenario } from './scenarios/scan.ts';
import { wanScenario } from './scenarios/wan.ts';

export const scenarios: readonly Scenario[] = [
  copyScenario,
  floorScenario,
  profileScenario,
  wanScenario,
  eightScenario,
  failbackScenario,
  scanScenario,
  churnScenario,
];
