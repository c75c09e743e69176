/** Data keys of protected items: made once, kept in the storage account wrapped by the vault's key. */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DrError } from '../domain/errors.ts';
import { asId, type DiskId, type ProtectedItemId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultKey, VaultStorage } from '../domain/ports.ts';

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
/** Follows the key where it is sealed: every record of the item was signed from the first one on. */
const SIGNS_RECORDS = Buffer.from([1]);
const NO_SALT = new Uint8Array(0);

const wrappedKeySchema = z.strictObject({
  version: z.literal(1),
  itemId: z.string(),
  /** The vault key that sealed it. */
  keyId: z.string(),
  sealed: z.base64(),
});

/** The opened data key of an item. Its bytes stay inside: it prints and serialises as `•••`. */
export class ItemKey {
  /** Eight bytes, hexadecimal, derived from the key: stands in every segment's header and tells nothing about the key. */
  readonly id: string;
  /** False: the key is older than signatures, records may be without. */
  readonly signsRecords: boolean;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, signsRecords = true) {
    this.#bytes = bytes;
    this.signsRecords = signsRecords;
    this.id = derive(bytes, NO_SALT, 'switchback key id').toString('hex', 0, KEY_ID_BYTES);
  }

  /** Key of one segment: item key → disk key → segment key, each by HKDF-SHA256 (RFC 5869). */
  segmentKey(disk: DiskId, salt: Uint8Array): Buffer {
    return derive(derive(this.#bytes, NO_SALT, `switchback disk ${disk}`), salt, 'switchback segment');
  }

  /** Key of the hashes of a disk's blocks that lie in the account: without it they tell nothing about the blocks. */
  scrubKey(disk: DiskId): Buffer {
    return derive(this.#bytes, NO_SALT, `switchback scrub ${disk}`);
  }

  /** Key of the comparison of a disk with its other side: both sides hash its blocks under it. */
  compareKey(disk: DiskId): Buffer {
    return derive(this.#bytes, NO_SALT, `switchback compare ${disk}`);
  }

  /** HMAC-SHA256, hexadecimal. */
  recordMac(record: string): string {
    const key = derive(this.#bytes, NO_SALT, 'switchback records');
    return createHmac('sha256', key).update(record).digest('hex');
  }

  toString(): string {
    return '•••';
  }

  toJSON(): string {
    return '•••';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '•••';
  }
}

/**
 * Opens the item's data key, making it first when there is none. Racing callers end with the same key.
 * @throws DR_KEY_MISSING when another vault key sealed it
 */
export async function ensureItemKey(
  storage: VaultStorage,
  vaultKey: VaultKey,
  item: ProtectedItemId,
): Promise<ItemKey> {
  const name = blobNames.key(item);
  if ((await storage.get(name)) === null) {
    const sealed = await vaultKey.seal(
      Buffer.concat([randomBytes(KEY_BYTES), SIGNS_RECORDS]),
      sealContext(item),
    );
    const wrapped = {
      version: 1,
      itemId: item,
      keyId: vaultKey.keyId,
      sealed: Buffer.from(sealed).toString('base64'),
    };
    await storage.putOnce(name, Buffer.from(JSON.stringify(wrapped)));
  }
  return openItemKey(storage, vaultKey, item);
}

/** @throws DR_KEY_MISSING when there is none, another vault key sealed it, or it was altered */
export async function openItemKey(
  storage: VaultStorage,
  vaultKey: VaultKey,
  item: ProtectedItemId,
): Promise<ItemKey> {
  const name = blobNames.key(item);
  const stored = await storage.get(name);
  if (stored === null) throw missing(item, `${name} does not exist`);
  return openKeyRecord(vaultKey, stored.body, name, item);
}

/**
 * Opens a key record, `keys/<item>.json`, wherever it was read from; `name` is for messages.
 * @throws DR_KEY_MISSING when it is not that of `item`, another vault key sealed it, or it was altered
 */
export async function openKeyRecord(
  vaultKey: VaultKey,
  record: Uint8Array,
  name: string,
  item?: ProtectedItemId,
): Promise<ItemKey> {
  const wrapped = parseWrapped(record);
  const itemId = asId<ProtectedItemId>(wrapped?.itemId ?? '');
  if (wrapped === null || (item !== undefined && itemId !== item)) {
    throw missing(item ?? itemId, `${name} is altered, or no key record`);
  }
  if (wrapped.keyId !== vaultKey.keyId) {
    throw missing(itemId, `vault key ${wrapped.keyId} sealed it, this is ${vaultKey.keyId}`);
  }
  const bytes = await vaultKey.open(Buffer.from(wrapped.sealed, 'base64'), sealContext(itemId));
  const signsRecords = SIGNS_RECORDS.equals(bytes.subarray(KEY_BYTES));
  if (bytes.length !== KEY_BYTES && !signsRecords) throw missing(itemId, `${name} is altered`);
  return new ItemKey(bytes.subarray(0, KEY_BYTES), signsRecords);
}

function sealContext(item: ProtectedItemId): string {
  return `item-key/${item}`;
}

function parseWrapped(body: Uint8Array): z.infer<typeof wrappedKeySchema> | null {
  try {
    return wrappedKeySchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
  } catch {
    return null;
  }
}

function missing(item: ProtectedItemId, reason: string): DrError {
  return new DrError('DR_KEY_MISSING', { item, reason });
}

function derive(key: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, KEY_BYTES));
}
