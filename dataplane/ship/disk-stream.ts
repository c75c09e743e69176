/** The stream of one disk: records in, a chain of segments out. */
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { UnitBuffer } from '../segment/unit.ts';
import { SegmentWriter } from '../segment/writer.ts';
import type { Spool, SpooledSegment } from './spool.ts';

interface DiskStreamOptions {
  readonly diskId: DiskId;
  readonly epoch: number;
  readonly tail: ChainTail;
  readonly key: ItemKey;
  readonly spool: Spool;
}

export class DiskStream {
  readonly #options: DiskStreamOptions;
  readonly #unit = new UnitBuffer();
  readonly #segments: SegmentRef[] = [];
  #tail: ChainTail;
  #open: { readonly writer: SegmentWriter; readonly spooled: SpooledSegment } | null = null;

  constructor(options: DiskStreamOptions) {
    this.#options = options;
    this.#tail = options.tail;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    for (let done = 0; done < data.length;) {
      const taken = this.#unit.addWrite(offset + done, data.subarray(done));
      if (taken === 0) await this.#sealUnit();
      done += taken;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length;) {
      const taken = this.#unit.addZero(offset + done, length - done);
      if (taken === 0) await this.#sealUnit();
      done += taken;
    }
  }

  /** Hands over the last segment. The segments are durable only when the spool has drained. */
  async finish(): Promise<{ readonly segments: readonly SegmentRef[]; readonly tail: ChainTail }> {
    if (!this.#unit.isEmpty) await this.#sealUnit();
    if (this.#open !== null) await this.#closeSegment();
    return { segments: this.#segments, tail: this.#tail };
  }

  async #sealUnit(): Promise<void> {
    this.#open ??= await this.#beginSegment();
    const { writer, spooled } = this.#open;
    await spooled.append(writer.seal(this.#unit));
    this.#unit.clear();
    if (writer.isFull) await this.#closeSegment();
  }

  async #beginSegment(): Promise<{ writer: SegmentWriter; spooled: SpooledSegment }> {
    const spooled = await this.#options.spool.begin();
    const writer = new SegmentWriter({ ...this.#options, tail: this.#tail });
    await spooled.append(writer.header);
    return { writer, spooled };
  }

  async #closeSegment(): Promise<void> {
    if (this.#open === null) return;
    const { writer, spooled } = this.#open;
    this.#open = null;
    const { diskId, epoch, spool } = this.#options;
    const finished = writer.finish();
    await spooled.append(finished.trailer);
    const ref = { blob: blobNames.segment(diskId, epoch, writer.firstSeq), ...finished.ref };
    this.#segments.push(ref);
    this.#tail = finished.tail;
    await spool.send(spooled, ref);
  }
}
