/** Looks at segment files without any server: on the night when there is none. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ItemKey } from '../../../dataplane/keys.ts';
import { DrError } from '../../../domain/errors.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { segmentPage, verdictPage, type Verdict } from '../../render/segment.ts';

export function segmentInspect(cli: Cli) {
  return verb(
    'inspect',
    'Show what a segment file holds: header, units, trailer, hashes; a torn one up to where it is whole',
    'segment inspect 000000000042.seg',
  )
    .argument('<file>', 'a blob of journal/…, as it was downloaded, or a file of the cache')
    .action(async (file) => {
      const { inspectSegment } = await import('../../../dataplane/segment/inspect.ts');
      cli.show({ file, ...inspectSegment(await segmentBytes(file)) }, segmentPage);
    });
}

export function segmentVerify(cli: Cli) {
  return verb(
    'verify',
    'Check segment files: structure, checksums, SHA-256, and that each follows the one before. With the keys also authenticity and the CRC-32C of every record. Ends with 7 when one does not hold',
    'segment verify --key-file vault.key --item-key web-01.json 000000000042.seg 000000000050.seg',
  )
    .argument('<files...>', 'in the order of the chain')
    .option('--key-file <file>', "the vault's key; needs --item-key")
    .option('--item-key <file>', 'blob keys/<item>.json, as it was downloaded')
    .action(async (files, { keyFile, itemKey }) => {
      const key = await keyFrom(keyFile, itemKey);
      const verdicts: Verdict[] = [];
      for (const file of files) verdicts.push(await verdictOf(file, key, verdicts.at(-1)));
      cli.show(verdicts, verdictPage);
      for (const verdict of verdicts) throwUnlessSound(verdict);
    });
}

async function verdictOf(file: string, key: ItemKey | undefined, before?: Verdict): Promise<Verdict> {
  const { authenticate, inspectSegment } = await import('../../../dataplane/segment/inspect.ts');
  const body = await segmentBytes(file);
  const report = inspectSegment(body);
  return {
    file,
    ...report,
    ...(key === undefined ? {} : { authenticity: authenticate(body, key) }),
    ...(before === undefined ? {} : { follows: report.header?.prevHash === before.sha256 }),
  };
}

function throwUnlessSound({ file, reason, authenticity, follows }: Verdict): void {
  const segment = basename(file);
  const refuse = (why: string) => new DrError('DR_SEGMENT_FILE_UNSOUND', { segment, reason: why });
  if (reason !== undefined) throw refuse(reason);
  if (authenticity?.isAuthentic === false) throw refuse(authenticity.reason);
  if (follows === false) throw refuse('it does not follow the file before it');
}

async function segmentBytes(file: string): Promise<Buffer> {
  const { SEGMENT_WIRE_BYTES_MAX } = await import('../../../dataplane/segment/layout.ts');
  const bytes = await fromFile(file, async () => (await stat(file)).size);
  if (bytes > SEGMENT_WIRE_BYTES_MAX) {
    throw invalid(`${file} has ${bytes} bytes, a segment has at most ${SEGMENT_WIRE_BYTES_MAX}`);
  }
  return fromFile(file, () => readFile(file));
}

/** Both files or none. */
async function keyFrom(
  keyFile: string | undefined,
  itemKey: string | undefined,
): Promise<ItemKey | undefined> {
  if (keyFile === undefined && itemKey === undefined) return undefined;
  if (keyFile === undefined || itemKey === undefined) {
    throw invalid('--key-file and --item-key are given together, or neither');
  }
  const { openKeyRecord } = await import('../../../dataplane/keys.ts');
  const { createFileVaultKey } = await import('../../../providers/vault/file-vault-key.ts');
  const record = await fromFile(itemKey, () => readFile(itemKey));
  return openKeyRecord(await createFileVaultKey(keyFile), record, itemKey);
}

async function fromFile<T>(file: string, read: () => Promise<T>): Promise<T> {
  return read().catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
}
