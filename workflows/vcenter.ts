/**
 * Short runbooks around a vCenter: looking at its certificate, adding it and discovering its machines.
 * They exist because only the site's process server reaches the vCenter, and only the configuration server writes
 * the catalogue. They only read the vCenter; there is nothing to undo and a repeated run is harmless. Adding is a job:
 * the credential was sealed in the storage account before it began, and who asked takes it back when the job fails.
 */
import type { PeerCertificate } from '../domain/ports.ts';
import type {
  AddVCenterInput,
  DiscoveryInput,
  DiscoveryResult,
  VCenterProbeInput,
} from './contracts/types.ts';
import { refusal } from './lib/failures.ts';
import { jobLog } from './lib/job-log.ts';
import { catalogue, siteCalls, siteTasks } from './lib/proxies.ts';
import { workflowInfo } from '@temporalio/workflow';

export async function vcenterProbe(input: VCenterProbeInput): Promise<PeerCertificate> {
  return siteCalls(input.site).probeVCenter({ url: input.url });
}

export async function vcenterAdd(input: AddVCenterInput): Promise<DiscoveryResult> {
  const { operationId, vcenterId, requestedBy } = input;
  const log = jobLog({
    id: operationId,
    kind: 'addVCenter',
    subject: vcenterId,
    requestedBy: requestedBy.principal,
  });
  try {
    await log.step('certificate', 'Compare the certificate', () => confirmCertificate(input));
    const found = await log.step(
      'discover',
      'Discover machines',
      () => vcenterDiscovery(input),
      ({ machineCount, about, tagsProblem }) =>
        [`${machineCount} machines, vCenter ${about.version}`, tagsProblem?.message ?? []].flat().join('. '),
    );
    await log.succeed({ machineCount: found.machineCount });
    return found;
  } catch (error) {
    await log.fail(error);
    throw error;
  }
}

/** The operator confirmed a fingerprint, not whatever answers now. */
async function confirmCertificate({ site, url, certificateSha256 }: AddVCenterInput): Promise<void> {
  const { sha256 } = await siteCalls(site).probeVCenter({ url });
  if (sha256 !== certificateSha256) {
    throw refusal('DR_VCENTER_CERTIFICATE_CHANGED', { url, actual: sha256, pinned: certificateSha256 });
  }
}

export async function vcenterDiscovery(input: DiscoveryInput): Promise<DiscoveryResult> {
  const { vcenterId } = input;
  const generation = workflowInfo().runId;
  let afterId = '';
  let machineCount = 0;
  for (;;) {
    const page = await siteTasks(input.site).discoverMachines({ vcenterId, afterId });
    machineCount += page.machines.length;
    await catalogue.recordMachines({ vcenterId, machines: page.machines, generation, complete: !page.more });
    if (!page.more) {
      const { about, tagsProblem } = page;
      return { machineCount, about, ...(tagsProblem === undefined ? {} : { tagsProblem }) };
    }
    afterId = page.machines.at(-1)?.id ?? afterId;
  }
}
