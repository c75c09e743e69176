/**
 * Ids are branded strings, one kind each, so that a disk id can never be passed where an item id is due.
 * Every id is a pure function of what it names: a repeated step finds what an earlier attempt made.
 */
declare const kind: unique symbol;
type Id<K extends string> = string & { readonly [kind]: K };

/** Name of a registered vCenter, chosen by the operator: 1-40 characters, lower-case letters, digits, hyphens. */
export type VCenterId = Id<'vcenter'>;
/** The machine's `config.instanceUuid` in vCenter, lower case. Stable over rename, move and power cycle. */
export type MachineId = Id<'machine'>;
/** Equal to the machine's id: the entity workflow `protected-item/<id>` is the lock against protecting twice. */
export type ProtectedItemId = Id<'protected-item'>;
/** 32 hexadecimal characters: the first half of SHA-256 over `<item>/<device key>`. */
export type DiskId = Id<'disk'>;
/** Name of a replication policy, same form as a vCenter's. */
export type PolicyId = Id<'policy'>;
/** `p` and the barrier number with six digits: `p000012`. Unique within an item. */
export type RecoveryPointId = Id<'recovery-point'>;
/** Chosen by the caller of an operation; also the Temporal update id and the job's id, so that a repeated request is the same job. */
export type OperationId = Id<'operation'>;
/** The operation that started a failover run; every resource of the run carries it as tag `switchback-run`. */
export type RunId = OperationId;

/** Casts a validated string. Call it at an edge that has just checked the form, nowhere else. */
export function asId<T extends Id<string>>(value: string): T {
  return value as T;
}
