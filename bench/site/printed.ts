/** The figures as a small table. */
import { cpus, totalmem } from 'node:os';
import { MiB } from '../../domain/units.ts';
import type { SiteFigures } from './measure.ts';

const PERCENT = [50, 99, 100] as const;

export function printed(
  asked: { readonly machines: number; readonly groups: number; readonly seed: number },
  figures: SiteFigures,
): string {
  const { machines, groups, seed } = asked;
  const { protectSeconds, drillSeconds, cleanupSeconds, processes, largest, rpoSeconds } = figures;
  const mib = (bytes: number) => `${(bytes / MiB).toFixed(0)} MiB`;
  return [
    '',
    `${machines} machines in ${groups} groups, seed ${seed}; ${cpus().length} cores, ${mib(totalmem())}`,
    `protect all           ${protectSeconds.toFixed(0)} s`,
    `drill                 ${drillSeconds.toFixed(0)} s`,
    `cleanup               ${cleanupSeconds.toFixed(0)} s`,
    `RPO meanwhile         ${PERCENT.map((each) => `p${each} ${percentile(rpoSeconds, each).toFixed(0)} s`).join(', ')}`,
    ...largest.map(
      ({ workflowId, events, bytes }) =>
        `history               ${events} events, ${(bytes / 1024).toFixed(0)} KiB  ${workflowId}`,
    ),
    ...processes.map(
      ({ name, peakBytes, cpuSeconds }) =>
        `${name.padEnd(21)} peak ${mib(peakBytes)}, ${cpuSeconds.toFixed(0)} CPU s in drill and cleanup`,
    ),
    `errors logged         ${figures.loggedErrors}`,
    ...figures.problems.map((problem) => `problem               ${problem}`),
  ].join('\n');
}

/** Of values in ascending order. */
function percentile(values: readonly number[], percent: number): number {
  return values[Math.max(0, Math.ceil((values.length * percent) / 100) - 1)] ?? 0;
}
