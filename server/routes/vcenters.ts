import { asId, type VCenterId } from '../../domain/ids.ts';
import { DrError } from '../../domain/errors.ts';
import { Secret, type VCenterConnection } from '../../domain/ports.ts';
import type { DiscoveryResult } from '../../workflows/contracts/types.ts';
import type { VCenterRecord } from '../catalogue/catalogue.ts';
import type { ServerDeps } from '../deps.ts';
import { operationIdOf, type HandlerRequest, type Handlers } from '../handlers.ts';
import { problemOf } from '../problem.ts';

export function vcenterHandlers(deps: ServerDeps) {
  const { catalogue, runbooks, site } = deps;
  return {
    probeVCenter: ({ body }) => runbooks.probeVCenter(site, body.url),

    addVCenter: async ({ body, requester }) => {
      const id = asId<VCenterId>(body.name);
      const earlier = await earlierOf(deps, id, body.url);
      const { url, username, certificateSha256 } = body;
      const certificate = await confirmedCertificate(deps, body);
      await deps.vcenters.save({ id, url, username, password: new Secret(body.password), certificate });
      try {
        await catalogue.saveVCenter({ ...body, addedAt: new Date() });
        const operationId = operationIdOf({});
        const job = { operationId, site, vcenterId: id, requestedBy: requester, url, certificateSha256 };
        await noteVersion(deps, id, await runbooks.addVCenter(job));
      } catch (error) {
        if (mayPass(error)) return { ...(await shown(deps, id)), discoveryProblem: problemOf(error) };
        await restore(deps, id, earlier);
        throw error;
      }
      return shown(deps, id);
    },

    removeVCenter: async ({ params }) => {
      const id = asId<VCenterId>(params.id);
      if ((await catalogue.vcenter(id)) === undefined) {
        throw new DrError('DR_VCENTER_UNKNOWN', { vcenter: id });
      }
      const [machine] = await catalogue.machinesProtectedOn(id);
      if (machine !== undefined) throw new DrError('DR_VCENTER_IN_USE', { vcenter: id, machine });
      await deps.vcenters.remove(id);
      await catalogue.removeVCenter(id);
      return { name: id };
    },

    listVCenters: async ({ query }) => {
      const page = await catalogue.listVCenters(query);
      return { ...page, items: page.items.map(vcenterView) };
    },

    discoverVCenter: async ({ params }) => {
      const id = asId<VCenterId>(params.id);
      if ((await catalogue.vcenter(id)) === undefined)
        throw new DrError('DR_VCENTER_UNKNOWN', { vcenter: id });
      return discover(deps, id);
    },
  } satisfies Partial<Handlers>;
}

interface Earlier {
  readonly record: VCenterRecord;
  readonly connection: VCenterConnection;
}

/** What is registered under that name. @throws DR_NAME_TAKEN when it is another vCenter. */
async function earlierOf(deps: ServerDeps, id: VCenterId, url: string): Promise<Earlier | undefined> {
  const record = await deps.catalogue.vcenter(id);
  if (record === undefined) return undefined;
  if (record.url !== url) throw new DrError('DR_NAME_TAKEN', { kind: 'vCenter', name: id });
  return { record, connection: await deps.vcenters.load(id) };
}

/** Looks at the vCenter again: the operator confirmed a fingerprint, not whatever answers now. */
async function confirmedCertificate(deps: ServerDeps, body: HandlerRequest<'addVCenter'>['body']) {
  const { sha256, pem } = await deps.runbooks.probeVCenter(deps.site, body.url);
  if (sha256 !== body.certificateSha256) {
    throw new DrError('DR_VCENTER_CERTIFICATE_CHANGED', {
      url: body.url,
      actual: sha256,
      pinned: body.certificateSha256,
    });
  }
  return { sha256, pem };
}

async function discover(deps: ServerDeps, id: VCenterId): Promise<DiscoveryResult> {
  return noteVersion(deps, id, await deps.runbooks.discover(deps.site, id));
}

async function noteVersion(
  deps: ServerDeps,
  id: VCenterId,
  result: DiscoveryResult,
): Promise<DiscoveryResult> {
  await deps.catalogue.recordVCenterVersion(id, result.about.version);
  return result;
}

/** A vCenter that is slow or away stays registered; one that refuses us does not. */
function mayPass(error: unknown): error is DrError {
  return error instanceof DrError && error.outcome === 'retry';
}

async function restore(deps: ServerDeps, id: VCenterId, earlier: Earlier | undefined): Promise<void> {
  if (earlier === undefined) {
    await deps.catalogue.removeVCenter(id);
    await deps.vcenters.remove(id);
    return;
  }
  await deps.catalogue.saveVCenter(earlier.record);
  await deps.vcenters.save(earlier.connection);
}

async function shown(deps: ServerDeps, id: VCenterId) {
  const record = await deps.catalogue.vcenter(id);
  if (record === undefined) throw new DrError('DR_VCENTER_UNKNOWN', { vcenter: id });
  return vcenterView(record);
}

function vcenterView({ version, discoveredAt, addedAt, ...record }: VCenterRecord) {
  return {
    ...record,
    addedAt: addedAt.toISOString(),
    ...(version === null ? {} : { version }),
    ...(discoveredAt === null ? {} : { discoveredAt: discoveredAt.toISOString() }),
  };
}
