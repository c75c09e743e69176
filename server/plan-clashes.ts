/** What would be in the way of a run of a plan, as the catalogue and Azure know it now. Reads only. */
import { DrError } from '../domain/errors.ts';
import { planJobKinds } from '../domain/job.ts';
import {
  azureClashes,
  recordedClashes,
  tellsInterfaces,
  type Clash,
  type PlannedMachine,
  type RegionLook,
} from '../domain/plan/clashes.ts';
import { memberMove, operationOfRun } from '../domain/plan/member-move.ts';
import type { PlanRunKind, RecoveryPlan } from '../domain/plan/plan.ts';
import type { RunMember } from '../workflows/contracts/plan.ts';
import type { ItemView } from '../workflows/contracts/types.ts';
import type { ServerDeps } from './deps.ts';
import { membersIn, type Estate } from './plan-members.ts';

/** Plans under way that are looked through for the same machines. */
const RUNNING_MAX = 500;

/** What each machine's own state table says now. */
export function refusedMoves(kind: PlanRunKind, { items }: Estate, members: readonly RunMember[]): Clash[] {
  const operation = operationOfRun(kind);
  return members.flatMap(({ itemId, machineName }): Clash[] => {
    const item = items.get(itemId);
    const machines = [machineName];
    if (item?.running !== undefined) {
      const { operation: running, operationId } = item.running;
      return [
        { kind: 'busy', message: `${machineName}: ${running} is running, job ${operationId}`, machines },
      ];
    }
    const verdict = item?.allowedOperations.find((each) => each.operation === operation);
    if (verdict === undefined || verdict.allowed) return [];
    return [{ kind: 'refused', message: `${machineName}: ${verdict.reason ?? 'is refused'}`, machines }];
  });
}

/** Machines that the run of another plan has, and a run of this plan that is under way. */
export async function otherPlans(
  { catalogue }: Pick<ServerDeps, 'catalogue'>,
  name: string,
  estate: Estate,
  members: readonly RunMember[],
): Promise<Clash[]> {
  const [running, plans] = await Promise.all([
    Promise.all(
      (['inProgress', 'waitingForInput'] as const).map((state) =>
        catalogue.listJobs({ state, kinds: Object.values(planJobKinds), limit: RUNNING_MAX }),
      ),
    ),
    catalogue.newestPlans(),
  ]);
  const jobs = running.flatMap(({ items }) => items);
  return jobs.flatMap(({ id, subject }): Clash[] => {
    if (subject === name)
      return [{ kind: 'busy', message: `plan ${name} runs already, job ${id}`, machines: [] }];
    const other = plans.find((plan) => plan.name === subject);
    if (other === undefined) return [];
    const theirs = new Set(membersIn(estate, other.plan).members.map(({ itemId }) => itemId));
    const shared = members.filter(({ itemId }) => theirs.has(itemId)).map(({ machineName }) => machineName);
    if (shared.length === 0) return [];
    const message = `plan ${subject} runs, job ${id}, and has ${shared.join(', ')} too`;
    return [{ kind: 'busy', message, machines: shared }];
  });
}

interface TargetLook {
  readonly clashes: readonly Clash[];
  readonly notChecked: readonly string[];
  /** Those of its machines, as the regions that answered have them. */
  readonly sizes: RegionLook['sizes'];
}

const unseen = { clashes: [], sizes: [] } satisfies Partial<TargetLook>;

/** Only drills and failovers make anything in Azure. */
export async function targetClashes(
  deps: Pick<ServerDeps, 'runbooks' | 'log'>,
  plan: RecoveryPlan,
  { kind, subnetId = plan.drill.subnetId }: { readonly kind: PlanRunKind; readonly subnetId?: string },
  { items }: Estate,
  members: readonly RunMember[],
): Promise<TargetLook> {
  if (kind !== 'test' && kind !== 'failover') {
    return { ...unseen, notChecked: ['the site at home: its datastores, networks and addresses'] };
  }
  const mode = kind === 'test' ? 'test' : 'real';
  const views = members.flatMap(({ itemId }) => items.get(itemId) ?? []);
  const moved = views.filter(
    (view) => memberMove(kind, { state: view.state, drill: view.drill.state }).kind === 'operate',
  );
  const machines = moved.flatMap((view) => plannedOf(view, mode, subnetId));
  const noSubnet: Clash = {
    kind: 'subnet',
    message: 'a drill needs the subnet of an isolated network, with the run or in the plan (drill.subnet)',
    machines: [],
  };
  const clashes = [
    ...(mode === 'test' && subnetId === undefined ? [noSubnet] : []),
    ...recordedClashes(machines, mode),
  ];
  const regions = [...Map.groupBy(machines, ({ location }) => location)];
  const looks = await Promise.all(
    regions.map(([location, here]) => regionClashes(deps, location, here, { mode, limits: plan.limits })),
  );
  const never = 'what an Azure policy forbids, and whether Azure has room for the sizes';
  return {
    clashes: [...clashes, ...looks.flatMap((look) => look.clashes)],
    notChecked: [...looks.flatMap(({ notChecked }) => notChecked), never],
    sizes: looks.flatMap(({ sizes }) => sizes),
  };
}

function plannedOf(
  { machineName, spec }: ItemView,
  mode: 'test' | 'real',
  drillSubnet: string | undefined,
): PlannedMachine[] {
  if (spec === undefined) return [];
  const { location, vmSize, privateIpAddress, resourceGroup } = spec.target;
  const subnetId = mode === 'test' ? drillSubnet : spec.target.subnetId;
  if (subnetId === undefined) return [];
  const isReal = mode === 'real';
  return [
    {
      machineName,
      location,
      vmSize,
      subnetId,
      ...(isReal && privateIpAddress !== undefined ? { privateIpAddress } : {}),
      ...(isReal && resourceGroup !== undefined ? { resourceGroup } : {}),
    },
  ];
}

/** A simulation goes on without Azure, and says so. */
async function regionClashes(
  { runbooks, log }: Pick<ServerDeps, 'runbooks' | 'log'>,
  location: string,
  machines: readonly PlannedMachine[],
  run: Parameters<typeof azureClashes>[2],
): Promise<TargetLook> {
  try {
    const look = await runbooks.lookAtRegion({
      location,
      vmSizes: [...new Set(machines.map(({ vmSize }) => vmSize))],
      subnetIds: [...new Set(machines.map(({ subnetId }) => subnetId))],
    });
    const interfaces = `quota of network interfaces in ${location}: Azure does not tell it`;
    return {
      clashes: azureClashes(machines, look, run),
      notChecked: tellsInterfaces(look) ? [] : [interfaces],
      sizes: look.sizes,
    };
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    log.warn({ err: error, location }, 'a region cannot be looked at');
    return { ...unseen, notChecked: [`quota, sizes and subnets in ${location}: ${error.message}`] };
  }
}
