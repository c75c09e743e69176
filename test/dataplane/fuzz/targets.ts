import { nbdTargets } from './nbd.ts';
import { recordTargets } from './records.ts';
import { segmentTargets } from './segments.ts';
import type { FuzzTarget } from './target.ts';

export const fuzzTargets: readonly FuzzTarget[] = [...segmentTargets, ...nbdTargets, ...recordTargets];
