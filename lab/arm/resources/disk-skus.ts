import { ArmError } from '../http.ts';
import type { Disk, JsonObject, Snapshot } from '../model.ts';

interface DiskSku {
  readonly tier: string;
  /** Cannot hold an operating system, and its snapshots are filled in the background. */
  readonly isDataOnly: boolean;
}

const diskSkus: Readonly<Record<string, DiskSku>> = {
  Standard_LRS: { tier: 'Standard', isDataOnly: false },
  StandardSSD_LRS: { tier: 'Standard', isDataOnly: false },
  StandardSSD_ZRS: { tier: 'Standard', isDataOnly: false },
  Premium_LRS: { tier: 'Premium', isDataOnly: false },
  Premium_ZRS: { tier: 'Premium', isDataOnly: false },
  PremiumV2_LRS: { tier: 'Premium', isDataOnly: true },
  UltraSSD_LRS: { tier: 'Ultra', isDataOnly: true },
};

const snapshotSkus: Readonly<Record<string, string>> = {
  Standard_LRS: 'Standard',
  Standard_ZRS: 'Standard',
  Premium_LRS: 'Premium',
};

const DEFAULT = 'Standard_LRS';

export function isDataOnly(resource: Disk | Snapshot): boolean {
  return diskSkus[nameOf(resource.body)]?.isDataOnly === true;
}

export function requireDiskSku(name: string = DEFAULT): void {
  if (diskSkus[name] === undefined) throw unknown(name, Object.keys(diskSkus));
}

/** Incremental snapshots lie on standard storage only. */
export function requireSnapshotSku(name: string = DEFAULT, isIncremental: boolean): void {
  const known = Object.keys(snapshotSkus).filter(
    (each) => !isIncremental || snapshotSkus[each] === 'Standard',
  );
  if (!known.includes(name)) throw unknown(name, known);
}

export function renderSku({ body }: Disk | Snapshot): JsonObject {
  const name = nameOf(body);
  return { name, tier: diskSkus[name]?.tier ?? snapshotSkus[name] ?? 'Standard' };
}

function nameOf({ sku }: JsonObject): string {
  const { name } = (sku ?? {}) as JsonObject;
  return typeof name === 'string' ? name : DEFAULT;
}

function unknown(name: string, known: readonly string[]): ArmError {
  return new ArmError(
    400,
    'InvalidParameter',
    `The value '${name}' of parameter 'sku.name' is out of range. The allowed values are: ${known.join(', ')}.`,
  );
}
