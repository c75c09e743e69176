/**
 * Theory of a grant. Azure hands out a SAS address for a while; whoever has it can read the disk. It lives in the
 * memory of this process only and is asked for anew when half its time is over, or when Azure refuses it. A grant
 * that a killed process left is extended by Azure, or taken back and asked for again. Revoking ends it for all.
 */
import type { Snapshot } from '@azure/arm-compute';
import { DrError } from '../../../domain/errors.ts';
import { Secret } from '../../../domain/ports.ts';
import type { RunScope } from '../../../domain/ports.ts';
import { unlessAborted } from '../deadline.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureOf } from './failure.ts';
import { runToEnd } from './operation.ts';
import { isOfRun } from './ownership.ts';
import { isSameId, nameOf, parseResourceId } from './resource-id.ts';

export interface Grant {
  /** Of the snapshot. */
  readonly name: string;
  /** The same object until it was renewed. */
  address(signal: AbortSignal): Promise<Secret>;
  /** A new one in the place of `refused`; one that was renewed meanwhile by another request is taken as it is. */
  renewed(refused: Secret, signal: AbortSignal): Promise<Secret>;
  /** No SAS is handed out any more. Waits for a request under way, so that none outlives it. */
  revoke(): Promise<void>;
}

/** Granting and revoking are operations of seconds; what takes longer is given up and tried again. */
const OPERATION_MS_MAX = 300_000;

/** A grant that could not be renewed is good until its end. */
const RENEW_AGAIN_MS = 60_000;

interface Current {
  readonly address: Secret;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

/** Asks for nothing yet. */
export function createGrant(clients: Clients, snapshotId: string): Grant {
  let current: Current | null = null;
  let asking: Promise<Secret> | null = null;
  let isRevoked = false;

  const ask = async (): Promise<Secret> => {
    const lifeMs = clients.snapshotAccessSeconds * 1000;
    const [renewAtMs, endsAtMs] = [performance.now() + lifeMs / 2, performance.now() + lifeMs];
    const address = await grantAccess(clients, snapshotId);
    current = { address, renewAtMs, endsAtMs };
    return address;
  };
  const askOnce = (signal: AbortSignal): Promise<Secret> => {
    if (isRevoked) throw new DrError('DR_INTERNAL', { reason: `${nameOf(snapshotId)} is closed` });
    asking ??= ask().finally(() => (asking = null));
    return unlessAborted(asking, signal);
  };
  return {
    name: nameOf(snapshotId),
    async address(signal) {
      const nowMs = performance.now();
      if (isRevoked || current === null || nowMs >= current.endsAtMs) return askOnce(signal);
      if (nowMs < current.renewAtMs) return current.address;
      const { address, endsAtMs } = current;
      try {
        return await askOnce(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (performance.now() >= endsAtMs) throw error;
        current = { address, endsAtMs, renewAtMs: Math.min(nowMs + RENEW_AGAIN_MS, endsAtMs) };
        return address;
      }
    },
    async renewed(refused, signal) {
      return current !== null && current.address !== refused && !isRevoked
        ? current.address
        : askOnce(signal);
    },
    async revoke() {
      isRevoked = true;
      const isAsked = current !== null || asking !== null;
      await asking?.catch(() => undefined);
      current = null;
      if (isAsked) await revokeAccess(clients, snapshotId);
    },
  };
}

/** Takes a living grant away: Azure deletes nothing that somebody may still read. */
export async function endAccess(
  clients: Clients,
  { id, diskState }: { readonly id?: string; readonly diskState?: Snapshot['diskState'] },
): Promise<void> {
  if (id !== undefined && diskState === 'ActiveSAS') await revokeAccess(clients, id);
}

/** The same for all snapshots of a run but those in `exceptIds`. Answers how many grants it ended. */
export async function endAccessesIn(
  clients: Clients,
  { resourceGroup, runId }: RunScope,
  exceptIds: readonly string[] = [],
): Promise<number> {
  const facts = { attempted: `list snapshots of ${resourceGroup}` };
  const found = await getOrNull(facts, () =>
    collect(clients.compute.snapshots.listByResourceGroup(resourceGroup), (snapshot) =>
      isOfRun(runId, snapshot.tags) ? snapshot : null,
    ),
  );
  const due = (found ?? []).filter(
    ({ id = '', diskState }) => diskState === 'ActiveSAS' && !exceptIds.some((kept) => isSameId(kept, id)),
  );
  for (const snapshot of due) await endAccess(clients, snapshot);
  return due.length;
}

async function grantAccess(clients: Clients, snapshotId: string): Promise<Secret> {
  const { group, name } = parseResourceId(snapshotId);
  const facts = { attempted: `open snapshot ${name} for reading` };
  const abortSignal = AbortSignal.timeout(OPERATION_MS_MAX);
  const grant = async () => {
    const request = { access: 'Read', durationInSeconds: clients.snapshotAccessSeconds };
    const poller = clients.compute.snapshots.grantAccess(group, name, request, {
      updateIntervalInMs: clients.pollIntervalMs,
    });
    return (await poller.pollUntilDone({ abortSignal })).accessSAS;
  };
  const grantAnew = async (error: unknown) => {
    if (failureOf(error)?.status !== 409) throw error;
    await revokeAccess(clients, snapshotId);
    return grant();
  };
  const address = await call(facts, () => grant().catch(grantAnew));
  if (address === undefined || !isUsable(address)) {
    const reason = 'Azure gave no https address';
    throw new DrError('DR_AZURE_OPERATION_FAILED', { ...facts, azureCode: 'NoAccess', reason });
  }
  return new Secret(address);
}

async function revokeAccess(clients: Clients, snapshotId: string): Promise<void> {
  const { group, name } = parseResourceId(snapshotId);
  const poller = clients.compute.snapshots.revokeAccess(group, name, {
    updateIntervalInMs: clients.pollIntervalMs,
  });
  const facts = { attempted: `take back the access to snapshot ${name}` };
  await runToEnd(facts, poller, () => undefined, AbortSignal.timeout(OPERATION_MS_MAX));
}

function isUsable(address: string): boolean {
  return URL.canParse(address) && new URL(address).protocol === 'https:';
}
