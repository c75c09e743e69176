/**
 * The interfaces behind which the outside world stands. `providers/` implements them with the real clients,
 * `activities/` and `dataplane/` use them, only `workers/` wires them. Every method may throw a `DrError`
 * of the catalogue; anything else is a bug. Methods are idempotent unless their comment says otherwise.
 */
export * from './ports/azure.ts';
export * from './ports/disks.ts';
export * from './ports/notify.ts';
export * from './ports/prices.ts';
export * from './ports/progress.ts';
export * from './ports/secret.ts';
export * from './ports/steps.ts';
export * from './ports/storage.ts';
export * from './ports/vsphere.ts';
