import { PageBlobClient, RestError, StorageSharedKeyCredential } from '@azure/storage-blob';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';
import type { Source } from './bytes.ts';
import { ArmError } from './http.ts';
import type { Range } from './range.ts';
import { isVhdSize, refusalOfVhd } from './vhd.ts';

/** Ranges nearer than this are read in one request. */
const GAP_BYTES_MAX = 256 * 1024;

export interface SourceBlob {
  /** Bytes of the disk, without the footer. */
  readonly diskBytes: number;
  readonly etag: string;
}

export interface BlobSourceOptions {
  /** With the account's name in the path where the account has no host of its own. */
  readonly endpoint: string;
  readonly account: string;
  readonly key: string;
}

/** The one storage account that disks may be imported from; its key is known here as it is to Azure. */
export class BlobSource {
  readonly #endpoint: URL;
  readonly #account: string;
  readonly #credential: StorageSharedKeyCredential;

  constructor({ endpoint, account, key }: BlobSourceOptions) {
    this.#endpoint = new URL(endpoint);
    this.#account = account;
    this.#credential = new StorageSharedKeyCredential(account, key);
  }

  /** Checks what Azure checks before it takes a page blob as a disk. */
  async inspect(disk: string, sourceUri: string, storageAccountId: string | undefined): Promise<SourceBlob> {
    this.#checkAccount(sourceUri, storageAccountId);
    const blob = this.#client(sourceUri);
    const properties = await blob.getProperties().catch((error: unknown) => {
      throw refusalOfSource(error, sourceUri);
    });
    const bytes = properties.contentLength ?? 0;
    if (properties.blobType !== 'PageBlob' || !isVhdSize(bytes)) {
      throw new ArmError(400, 'BadRequest', 'Only blobs formatted as VHDs can be imported.');
    }
    if (properties.leaseState === 'leased' || properties.leaseState === 'breaking') {
      throw new ArmError(
        409,
        'AcquireDiskLeaseFailed',
        `Failed to acquire lease while creating disk '${disk}' using blob with URI ${sourceUri}. Blob is already in use.`,
      );
    }
    const footer = await blob.downloadToBuffer(bytes - VHD_FOOTER_BYTES, VHD_FOOTER_BYTES);
    const refusal = refusalOfVhd(footer, bytes);
    if (refusal === 'cookie') {
      throw new ArmError(
        400,
        'InvalidVhd',
        `The specified cookie value in VHD footer indicates that disk '${disk}' with blob ${sourceUri} is not a supported VHD. Disk is expected to have cookie value 'conectix'.`,
      );
    }
    if (refusal !== null) {
      throw new ArmError(
        400,
        'InvalidVhd',
        `The VHD footer of disk '${disk}' with blob ${sourceUri} is not valid: ${refusal}.`,
      );
    }
    return { diskBytes: bytes - VHD_FOOTER_BYTES, etag: properties.etag ?? '' };
  }

  /** Data ranges without the footer, and how to read them; reading fails when the blob changes meanwhile. */
  async data(sourceUri: string, source: SourceBlob, signal: AbortSignal): Promise<Source> {
    const blob = this.#client(sourceUri);
    const conditions = { ifMatch: source.etag };
    const found: Range[] = [];
    for await (const range of blob.listPageRanges(0, source.diskBytes, { conditions, abortSignal: signal })) {
      found.push({ start: range.start, end: Math.min(range.end + 1, source.diskBytes) });
    }
    return {
      ranges: found,
      pieces: coalesce(found, GAP_BYTES_MAX),
      read: ({ start, end }) =>
        blob.downloadToBuffer(start, end - start, { conditions, abortSignal: signal }),
    };
  }

  #client(sourceUri: string): PageBlobClient {
    const url = new URL(sourceUri);
    url.search = '';
    return new PageBlobClient(url.href, this.#credential, { retryOptions: { maxTries: 3 } });
  }

  /** Without `storageAccountId` Azure looks for the account in the disk's own subscription. */
  #checkAccount(sourceUri: string, storageAccountId: string | undefined): void {
    const url = URL.canParse(sourceUri) ? new URL(sourceUri) : null;
    const folder = this.#endpoint.pathname.replace(/\/?$/, '/');
    const isOurs = url?.host === this.#endpoint.host && url.pathname.startsWith(folder);
    const named = storageAccountId?.split('/').at(-1)?.toLowerCase() ?? this.#account.toLowerCase();
    if (url === null || !isOurs || named !== this.#account.toLowerCase()) {
      throw new ArmError(
        400,
        'InvalidParameter',
        `The source blob URI ${sourceUri} is not of the storage account ${storageAccountId ?? this.#account} in this region.`,
      );
    }
    if (url.searchParams.has('snapshot')) {
      throw new ArmError(400, 'BadRequest', 'Disks cannot be imported from a snapshot of a blob.');
    }
  }
}

function refusalOfSource(error: unknown, sourceUri: string): ArmError {
  if (error instanceof RestError && error.statusCode === 404) {
    return new ArmError(404, 'ResourceNotFound', `The source blob ${sourceUri} was not found.`);
  }
  return new ArmError(500, 'InternalExecutionError', `The source blob ${sourceUri} could not be read.`);
}

/** Sorts, and joins ranges whose gap is at most `gapMax`. */
export function coalesce(ranges: readonly Range[], gapMax: number): Range[] {
  const joined: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last !== undefined && range.start - last.end <= gapMax) {
      joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else joined.push(range);
  }
  return joined;
}
