import { randomBytes } from 'node:crypto';
import { StorageError } from '../disk-access.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError } from '../http.ts';
import type { JsonObject } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { requireOf } from './common.ts';

const PREFIX = '/bootdiagnostics-';
const MINUTES_DEFAULT = 120;
const GRANTS_MAX = 1_000;

const requireVm = requireOf('Microsoft.Compute/virtualMachines');

interface Grant {
  readonly vmId: string;
  readonly until: number;
}

/** Of this process: after a restart a client asks again, as after the time is over. */
const grants = new Map<string, Grant>();

/** Answers with an address of the console log that is good for a while. */
export function retrieveBootDiagnosticsData(simulator: Simulator, request: ArmRequest): Answer {
  const vm = requireVm(simulator, request);
  const { diagnosticsProfile } = (vm.body.properties ?? {}) as JsonObject;
  const { bootDiagnostics } = (diagnosticsProfile ?? {}) as JsonObject;
  if ((bootDiagnostics as JsonObject | undefined)?.enabled !== true) {
    throw new ArmError(
      409,
      'OperationNotAllowed',
      `Boot diagnostics is not enabled on the virtual machine ${vm.name}.`,
    );
  }
  const minutes = Number(request.query.get('sasUriExpirationTimeInMinutes') ?? MINUTES_DEFAULT);
  const token = randomBytes(16).toString('hex');
  grants.set(token, { vmId: vm.id, until: Date.now() + minutes * 60_000 });
  const [oldest] = grants.keys();
  if (grants.size > GRANTS_MAX && oldest !== undefined) grants.delete(oldest);
  const folder = `${simulator.url()}${PREFIX}${vm.facts.vmId}`;
  return {
    status: 200,
    json: { serialConsoleLogBlobUri: `${folder}/${vm.name}.serialconsole.log?sig=${token}` },
  };
}

export function isBootDiagnosticsPath(path: string): boolean {
  return path.startsWith(PREFIX);
}

export function answerBootDiagnostics(simulator: Simulator, method: string, url: URL): Answer {
  const grant = grants.get(url.searchParams.get('sig') ?? '');
  if (grant === undefined || grant.until < Date.now()) {
    return new StorageError(403, 'AuthenticationFailed').answer();
  }
  if (method !== 'GET') return new StorageError(403, 'AuthorizationPermissionMismatch').answer();
  return {
    status: 200,
    headers: { 'content-type': 'text/plain' },
    body: simulator.answering.consoleOf(grant.vmId),
  };
}
