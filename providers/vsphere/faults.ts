/** Faults of the vSphere API, whether a call was answered with one or a task ended in one, and what they mean to a runbook. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import { asRecord, typeOf } from './values.ts';

/** `fault` is the name of vSphere's fault type, e.g. `FileFault`; the message is vCenter's own text. */
export class VimFault extends Error {
  readonly fault: string;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(fault: string, text: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(text === '' ? fault : text);
    this.name = 'VimFault';
    this.fault = fault;
    this.detail = detail;
  }
}

/** The session ended before the call was carried out. Never leaves this folder. */
export class SessionLost extends Error {
  constructor() {
    super('the session was lost');
    this.name = 'SessionLost';
  }
}

export function isFault(error: unknown, ...names: readonly string[]): error is VimFault {
  return error instanceof VimFault && names.includes(error.fault);
}

/** A file of the machine is held by another: a writer, or the machine itself on some host. */
export function isFileLocked(error: unknown): error is VimFault {
  if (isFault(error, 'FileLocked')) return true;
  return isFault(error, 'GenericVmConfigFault', 'FileFault') && /\block(ed)?\b/i.test(allTexts(error));
}

/** The guest could not be brought to a consistent state; without that the snapshot would have been made. */
export function isQuiesceFailure(error: unknown): error is VimFault {
  if (isFault(error, 'ApplicationQuiesceFault', 'FilesystemQuiesceFault', 'ToolsUnavailable')) return true;
  return isFault(error, 'SnapshotFault', 'GenericVmConfigFault') && /quiesc/i.test(allTexts(error));
}

/** vCenter says some faults only in the messages of hosts below it. */
function allTexts(fault: VimFault): string {
  const below = fault.detail['faultMessage'];
  const messages = Array.isArray(below) ? below.map((entry) => asRecord(entry)?.['message']) : [];
  return [fault.message, ...messages.map(textOf)].join(' ');
}

/** Reads the fault out of what the SOAP library rejects with; undefined when the answer was no SOAP fault. */
export function faultOfAnswer(error: unknown): VimFault | undefined {
  const root = asRecord(asRecord(error)?.['root']);
  const body = asRecord(asRecord(root?.['Envelope'])?.['Body']);
  const fault = asRecord(body?.['Fault']);
  if (fault === undefined) return undefined;
  const entry = Object.entries(asRecord(fault['detail']) ?? {}).find(([key]) => key !== 'attributes');
  const name = typeOf(entry?.[1]) ?? entry?.[0].replace(/Fault$/, '') ?? 'RuntimeFault';
  return new VimFault(withoutPrefix(name), textOf(fault['faultstring']), asRecord(entry?.[1]) ?? {});
}

/** Reads `TaskInfo.error`, a localized method fault. */
export function faultOfTask(error: unknown): VimFault {
  const record = asRecord(error);
  const name = typeOf(record?.['fault']) ?? 'RuntimeFault';
  return new VimFault(
    withoutPrefix(name),
    textOf(record?.['localizedMessage']),
    asRecord(record?.['fault']) ?? {},
  );
}

export interface Attempt {
  readonly vcenter: string;
  readonly url: string;
  /** Completes "vCenter could not …". */
  readonly attempted: string;
  /** The machine it was attempted on. */
  readonly machine?: string;
}

/** Translates whatever a call ended with; errors of the catalogue pass unchanged. */
export function toDrError(error: unknown, attempt: Attempt): unknown {
  if (error instanceof SessionLost) {
    return new DrError('DR_VCENTER_UNREACHABLE', {
      url: attempt.url,
      reason: 'the session was lost repeatedly',
    });
  }
  if (error instanceof z.ZodError) {
    const fault = `its answer was not understood at ${error.issues[0]?.path.join('.') ?? 'its root'}`;
    return new DrError('DR_VCENTER_TASK_FAILED', { attempted: attempt.attempted, fault });
  }
  if (!(error instanceof VimFault)) return error;
  if (error.fault === 'NoPermission') {
    return new DrError(
      'DR_VCENTER_NO_PERMISSION',
      { vcenter: attempt.vcenter, attempted: attempt.attempted, privilege: privilegeOf(error) },
      { cause: error },
    );
  }
  const { attempted, machine } = attempt;
  const reason = describeFault(error);
  if (machine !== undefined && isFileLocked(error)) {
    return new DrError(
      'DR_MACHINE_FILE_LOCKED',
      { machine, disk: textOf(error.detail['file']) || 'not named by vCenter', reason },
      { cause: error },
    );
  }
  return new DrError('DR_VCENTER_TASK_FAILED', { attempted, fault: reason }, { cause: error });
}

export function describeFault(fault: VimFault): string {
  return fault.message === fault.fault ? fault.fault : `${fault.fault}: ${fault.message}`;
}

function privilegeOf(fault: VimFault): string {
  const id = textOf(fault.detail['privilegeId']);
  return id === '' ? 'not named by vCenter' : id;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const text = asRecord(value)?.['$value'];
  return typeof text === 'string' ? text : '';
}

function withoutPrefix(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
