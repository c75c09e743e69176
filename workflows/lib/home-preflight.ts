/** Everything that must be in place before a machine comes home, asked of all four sides at once. */
import type { JobError } from '../../domain/job.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { AzureSide, HomePlace, HomeWay } from '../contracts/home.ts';
import { jobError, knownError, refusal } from './failures.ts';
import { azure, landAnswers, reverseAnswers, siteCalls } from './proxies.ts';

interface HomeCheck {
  readonly item: ItemSpec;
  readonly azure: AzureSide;
  readonly place: HomePlace;
}

/** Every missing thing, each with its remedy; empty: nothing is missing. Changes nothing. */
export async function homeProblems(check: HomeCheck): Promise<JobError[]> {
  const { item } = check;
  const asked: readonly Promise<JobError[]>[] = [
    siteCalls(item.site).checkHome(check),
    azure(item.target.location, false).checkAzureSide({ item, azure: check.azure }),
    processServer(item),
    masterTarget(item),
  ];
  const answers = await Promise.all(asked.map((each) => each.catch((error: unknown) => [jobError(error)])));
  return answers.flat();
}

/** @throws DR_PREFLIGHT_FAILED that lists all */
export async function checkWayHome(check: HomeCheck): Promise<void> {
  throwAll(await homeProblems(check));
}

function throwAll(problems: readonly JobError[]): void {
  const [first] = problems;
  if (first === undefined) return;
  throw refusal('DR_PREFLIGHT_FAILED', {
    count: problems.length,
    problems: problems.map(({ code, message, remedy }) => `${code}: ${message} (${remedy})`).join('; '),
  });
}

async function processServer(item: ItemSpec): Promise<JobError[]> {
  const { location } = item.target;
  return reverseAnswers(location)
    .answerReverse()
    .then(
      () => [],
      () => [knownError('DR_FAILBACK_PROCESS_SERVER_MISSING', { location })],
    );
}

async function masterTarget(item: ItemSpec): Promise<JobError[]> {
  const { site, disks } = item;
  try {
    const { slots, used } = await landAnswers(site).answerLand();
    if (used + disks.length <= slots) return [];
    return [knownError('DR_MASTER_TARGET_FULL', { site, used, slots, needed: disks.length })];
  } catch {
    return [knownError('DR_MASTER_TARGET_MISSING', { site })];
  }
}

/** Before a failback: everybody who takes part is there, the machine at home is off, and there is something to start from. */
export async function readyProblems(way: HomeWay): Promise<JobError[]> {
  const { item, azure: side, home } = way;
  const asked: readonly Promise<JobError[]>[] = [
    azure(item.target.location, false).checkAzureSide({ item, azure: side }),
    processServer(item),
    landAnswers(item.site)
      .answerLand()
      .then(
        () => [],
        () => [knownError('DR_MASTER_TARGET_MISSING', { site: item.site })],
      ),
    siteCalls(item.site)
      .homePowerState({ item, machineId: home.machineId })
      .then(({ state }) => (state === 'poweredOff' ? [] : [runs(item, state)])),
  ];
  const answers = await Promise.all(asked.map((each) => each.catch((error: unknown) => [jobError(error)])));
  return answers.flat();
}

export async function checkReadyHome(way: HomeWay): Promise<void> {
  throwAll(await readyProblems(way));
}

function runs(item: ItemSpec, state: string): JobError {
  return knownError('DR_SOURCE_RUNS', { machine: item.machineName, state });
}

/** Before a failback is cancelled. */
export async function readyAzure({ item, azure: side }: HomeWay): Promise<void> {
  throwAll(await azure(item.target.location, false).checkAzureSide({ item, azure: side }));
}
