/** What the catalogue can tell before a machine is protected. The process server checks again with fresh facts. */
import { DrError } from '../domain/errors.ts';
import { asId, type PolicyId, type ProtectedItemId } from '../domain/ids.ts';
import { protectabilityProblems } from '../domain/protectability.ts';
import { isProtectionOver } from '../domain/protected-item.ts';
import type { ListedMachine } from './catalogue/catalogue.ts';
import type { ServerDeps } from './deps.ts';
import { operationIdOf, type HandlerRequest } from './handlers.ts';
import { refuseConflict } from './item-operations.ts';
import type { Operation } from './operations.ts';
import { machineNamed, policyNamed } from './resolve.ts';

/** @throws DR_REQUEST_INVALID for a region that is not the recovery site's, DR_SETTINGS_CONFLICT, DR_MACHINE_UNKNOWN, DR_MACHINE_AMBIGUOUS, DR_POLICY_UNKNOWN, and the first thing that keeps the machine from being protected. */
export async function protectOperation(
  deps: ServerDeps,
  { body, requester }: HandlerRequest<'protect'>,
): Promise<Operation> {
  refuseOtherRegion(deps.location, body.target.location);
  refuseConflict(body.target);
  const operationId = operationIdOf(body);
  const policy = await policyNamed(deps.catalogue, asId<PolicyId>(body.policy));
  const { machine } = await protectableMachine(deps, body.machine, body.excludedDisks);
  const itemId = asId<ProtectedItemId>(machine.id);
  return {
    operationId,
    kind: 'protect',
    itemId,
    subject: machine.name,
    requester,
    start: async () => {
      await refuseProtectedTwice(deps, itemId, machine.name);
      return deps.runbooks.protect({
        operationId,
        requestedBy: requester,
        itemId,
        machineName: machine.name,
        vcenterId: machine.vcenterId,
        site: deps.site,
        policy,
        target: body.target,
        excludedDisks: body.excludedDisks,
        ...(body.physical ? { physical: true } : {}),
      });
    },
  };
}

/** No worker serves another region: its runbooks would wait for ever. */
function refuseOtherRegion(ours: string, location: string): void {
  if (location === ours) return;
  const problems = `body.target.location: is "${location}", the recovery region here is "${ours}"`;
  throw new DrError('DR_REQUEST_INVALID', { problems });
}

/** What the catalogue holds against a machine may be outdated: it is discovered anew before it is refused. */
async function protectableMachine(
  deps: ServerDeps,
  idOrName: string,
  excludedDisks: readonly number[],
): Promise<ListedMachine> {
  const recorded = await machineNamed(deps.catalogue, idOrName);
  if (protectabilityProblems(recorded.machine, excludedDisks).length === 0) return recorded;
  await deps.runbooks.discover(deps.site, recorded.machine.vcenterId).catch((error: unknown) => {
    deps.log.warn({ err: error, machine: idOrName }, 'a refused machine could not be discovered anew');
  });
  const fresh = await machineNamed(deps.catalogue, idOrName);
  const [problem] = protectabilityProblems(fresh.machine, excludedDisks);
  if (problem !== undefined) throw problem;
  return fresh;
}

/** An item that failed or was ended, or whose copy is damaged, may be protected again; whether it really may, its workflow decides. */
async function refuseProtectedTwice(
  deps: ServerDeps,
  itemId: ProtectedItemId,
  machine: string,
): Promise<void> {
  const [item] = await deps.catalogue.itemsNamed(itemId);
  if (item === undefined || isProtectionOver(item.state) || item.health === 'critical') return;
  throw new DrError('DR_MACHINE_ALREADY_PROTECTED', { machine });
}
