/**
 * Checks before a failover touches anything (research: Site Recovery's prerequisites check). All of them run;
 * a problem each, so that the operator sees everything that is missing at once. What an Azure policy forbids is not
 * among them: Azure tells only when it is asked to make the resource.
 */
import type { DrError } from '../../domain/errors.ts';
import type { Cloud, VaultKey, VaultStorage } from '../../domain/ports.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { clockProblems, keyProblems, pointProblems } from './preflight-item.ts';
import { networkProblems } from './preflight-network.ts';
import { machineProblems } from './preflight-machine.ts';

export interface PreflightPorts {
  readonly cloud: Cloud;
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
}

/** Trouble with Azure or the storage account itself is thrown: it says nothing about the run. */
export async function preflightProblems(ports: PreflightPorts, run: FailoverRun): Promise<DrError[]> {
  const found = await Promise.all([
    pointProblems(ports, run),
    keyProblems(ports, run),
    clockProblems(ports, run),
    azureProblems(ports.cloud, run),
  ]);
  return found.flat();
}

/** What is missing in Azure. */
export async function azureProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const found = await Promise.all([machineProblems(cloud, run), networkProblems(cloud, run)]);
  return found.flat();
}
