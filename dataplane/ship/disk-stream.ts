/** The stream of one disk: records in, a chain of segments out. */
import { randomBytes } from 'node:crypto';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { CODEC_STORED, SALT_BYTES, SEGMENT_CLOSE_BYTES } from '../segment/layout.ts';
import type { PackedUnit } from '../segment/pack-unit.ts';
import { sealedUnit } from '../segment/seal-segment.ts';
import type { UnitToSeal } from '../segment/seal-segment.ts';
import { UnitBuffer } from '../segment/unit.ts';
import { sharedMemory, unitSlabs } from '../threads/slabs.ts';
import { segmentThreads } from '../threads/thread-pool.ts';
import { compression } from './compression.ts';
import type { Spool, SpooledSegment } from './spool.ts';

/** A record waits no longer for company. */
export const SEGMENT_CLOSE_MS = 500;
/** Units of zeros alone are small: there would be many. */
const SEGMENT_UNITS_MAX = 9;
/** From the second unit on that did not compress, samples decide; now and then a whole unit is tried. */
const STORED_UNITS_DOUBTFUL = 2;
const TRY_EVERY_UNITS = 16;

interface DiskStreamOptions {
  readonly diskId: DiskId;
  readonly epoch: number;
  readonly tail: ChainTail;
  readonly key: ItemKey;
  readonly spool: Pick<Spool, 'begin' | 'send' | 'backlogBytes'>;
  /** Calls back once, unless cancelled by the function it returns. Default: the process's timers. */
  readonly after?: (ms: number, callback: () => void) => () => void;
}

interface PackingUnit extends Omit<UnitToSeal, 'codec' | 'packedBytes'> {
  readonly packing: Promise<PackedUnit>;
}

interface OpenSegment {
  readonly spooled: SpooledSegment;
  readonly units: PackingUnit[];
  plainBytes: number;
  cancelClose: () => void;
}

/**
 * Units are compressed in threads while the next ones fill, and sealed in order, a segment at a time: its header holds
 * the hash of the one before, and every unit is sealed with the header. A segment closes at 8 MiB of payload, 500 ms
 * after its first record, or at `finish`. Its memory are the slabs that all disks of the process share; when none is
 * free it closes what it holds, if nothing of it is being sealed already, and waits for others.
 * One writer at a time. A failure of the work behind is thrown by the next call. `close` ends it in any state.
 */
export class DiskStream {
  readonly #options: DiskStreamOptions;
  readonly #held = new Map<SharedArrayBuffer, Buffer>();
  readonly #packing = new Set<Promise<PackedUnit>>();
  readonly #stopped = new AbortController();
  readonly #segments: SegmentRef[] = [];
  #tail: ChainTail;
  #unit: UnitBuffer | null = null;
  #open: OpenSegment | null = null;
  #sealing: Promise<void> = Promise.resolve();
  /** Segments that are complete and hold slabs. */
  #sealingCount = 0;
  #unitCount = 0;
  #storedInARow = 0;

  constructor(options: DiskStreamOptions) {
    this.#options = options;
    this.#tail = options.tail;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    for (let done = 0; done < data.length;) {
      const unit = this.#unit ?? (await this.#beginUnit());
      const taken = unit.addWrite(offset + done, done === 0 ? data : data.subarray(done));
      if (taken === 0) this.#cut(unit);
      done += taken;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length;) {
      const unit = this.#unit ?? (await this.#beginUnit());
      const taken = unit.addZero(offset + done, length - done);
      if (taken === 0) this.#cut(unit);
      done += taken;
    }
  }

  /** Hands over the last segment. The segments are durable only when the spool has drained. */
  async finish(): Promise<{ readonly segments: readonly SegmentRef[]; readonly tail: ChainTail }> {
    this.#closeSegment();
    await this.#sealing;
    return { segments: this.#segments, tail: this.#tail };
  }

  /** Resolves when no thread works for the stream any more and its memory is given back. */
  async close(): Promise<void> {
    this.#open?.cancelClose();
    this.#stopped.abort(new Error('the stream of the disk was closed'));
    await Promise.allSettled([this.#sealing, ...this.#packing]);
    for (const slab of this.#held.values()) unitSlabs.give(slab);
    this.#held.clear();
  }

  async #beginUnit(): Promise<UnitBuffer> {
    this.#stopped.signal.throwIfAborted();
    for (;;) {
      // Room in the spool comes first: a stream that waits for the link holds no memory that others could use.
      this.#open ??= await this.#beginSegment();
      const slab = unitSlabs.tryTake() ?? (await this.#waitForSlab());
      if (slab !== null && this.#open !== null) return this.#fill(slab, this.#open);
      if (slab !== null) unitSlabs.give(slab);
    }
  }

  async #beginSegment(): Promise<OpenSegment> {
    const spooled = await this.#options.spool.begin();
    return { spooled, units: [], plainBytes: 0, cancelClose: () => undefined };
  }

  /** Null: what the stream held is on its way, and another segment has to begin. */
  async #waitForSlab(): Promise<Buffer | null> {
    const hasUnits = this.#open !== null && this.#open.units.length > 0;
    if (!hasUnits || this.#sealingCount > 0) return unitSlabs.take(this.#stopped.signal);
    this.#closeSegment();
    return null;
  }

  #fill(slab: Buffer, segment: OpenSegment): UnitBuffer {
    const { after = startTimer } = this.#options;
    if (segment.units.length === 0) {
      segment.cancelClose = after(SEGMENT_CLOSE_MS, () => this.#closeSegment());
    }
    this.#held.set(sharedMemory(slab), slab);
    this.#unit = new UnitBuffer(slab);
    return this.#unit;
  }

  /** The unit is full, or its segment has to end. */
  #cut(unit: UnitBuffer): void {
    if (this.#open === null) return;
    this.#unit = null;
    const payload = unit.finish();
    const slab = sharedMemory(unit.slab);
    this.#unitCount += 1;
    const packing = segmentThreads.run('packUnit', {
      ...payload,
      slab,
      level: compression.level,
      isDoubtful: this.#storedInARow >= STORED_UNITS_DOUBTFUL && this.#unitCount % TRY_EVERY_UNITS !== 0,
    });
    this.#packing.add(packing);
    // A failure is met when the segment is sealed.
    packing.catch(() => undefined).finally(() => this.#packing.delete(packing));
    this.#open.units.push({ ...payload, slab, packing });
    this.#open.plainBytes += payload.plainBytes;
    const { units, plainBytes } = this.#open;
    if (plainBytes >= SEGMENT_CLOSE_BYTES || units.length === SEGMENT_UNITS_MAX) this.#closeSegment();
  }

  #closeSegment(): void {
    if (this.#unit !== null) this.#cut(this.#unit);
    const segment = this.#open;
    if (segment === null || segment.units.length === 0) return;
    this.#open = null;
    segment.cancelClose();
    this.#sealingCount += 1;
    this.#sealing = this.#sealing.then(() => this.#seal(segment));
    this.#sealing.catch((error: unknown) => this.#stopped.abort(error));
  }

  async #seal({ units: packing, spooled }: OpenSegment): Promise<void> {
    const units = await Promise.all(packing.map(packed));
    const { diskId, epoch, key, spool } = this.#options;
    const { nextSeq: firstSeq, hash: prevHash } = this.#tail;
    const salt = randomBytes(SALT_BYTES);
    const { header, trailer, lastSeq, rawBytes, wireBytes, sha256 } = await segmentThreads.run(
      'sealSegment',
      {
        header: { diskId, epoch, firstSeq, salt, prevHash, keyId: key.id },
        key: key.segmentKey(diskId, salt),
        units,
      },
    );
    await spooled.append([header, ...units.map(sealedUnit), trailer]);
    for (const unit of units) this.#release(unit);
    this.#sealingCount -= 1;
    const blob = blobNames.segment(diskId, epoch, firstSeq);
    const ref = { blob, firstSeq, lastSeq, rawBytes, wireBytes, sha256 };
    this.#segments.push(ref);
    this.#tail = { nextSeq: lastSeq + 1, hash: sha256 };
    await spool.send(spooled, ref);
    compression.observe(spool.backlogBytes);
  }

  #release({ slab, codec }: UnitToSeal): void {
    this.#storedInARow = codec === CODEC_STORED ? this.#storedInARow + 1 : 0;
    const held = this.#held.get(slab);
    if (held === undefined) return;
    this.#held.delete(slab);
    unitSlabs.give(held);
  }
}

async function packed({ packing, ...unit }: PackingUnit): Promise<UnitToSeal> {
  return { ...unit, ...(await packing) };
}

function startTimer(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
