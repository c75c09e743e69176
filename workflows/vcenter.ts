/**
 * Short runbooks around a vCenter: looking at its certificate and discovering its machines.
 * They exist because only the site's process server reaches the vCenter, and only the configuration server writes
 * the catalogue. Both only read the vCenter; there is nothing to undo and a repeated run is harmless.
 */
import type { PeerCertificate } from '../domain/ports.ts';
import type { DiscoveryInput, DiscoveryResult, VCenterProbeInput } from './contracts/types.ts';
import { catalogue, siteCalls, siteTasks } from './lib/proxies.ts';
import { workflowInfo } from '@temporalio/workflow';

export async function vcenterProbe(input: VCenterProbeInput): Promise<PeerCertificate> {
  return siteCalls(input.site).probeVCenter({ url: input.url });
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
    if (!page.more) return { machineCount, about: page.about };
    afterId = page.machines.at(-1)?.id ?? afterId;
  }
}
