/** Adds up what a shipment has done and tells its owner. */
import { totalBytes } from '../../domain/extents.ts';
import { readableExtents } from './pieces.ts';
import type { ShipRequest } from './ship-request.ts';

export class ProgressMeter {
  readonly #request: ShipRequest;
  readonly #startedAt = new Date().toISOString();
  readonly #totalBytes: number;
  #doneBytes = 0;
  #readBytes = 0;
  #wireBytes = 0;

  constructor(request: ShipRequest) {
    this.#request = request;
    this.#totalBytes = request.totalBytesHint ?? knownTotal(request);
  }

  /** Of this shipment alone; 0 while unknown. */
  get leftBytes(): number {
    return Math.max(0, knownTotal(this.#request) - this.#doneBytes);
  }

  add(step: { readonly doneBytes?: number; readonly readBytes?: number; readonly wireBytes?: number }): void {
    this.#doneBytes += step.doneBytes ?? 0;
    this.#readBytes += step.readBytes ?? 0;
    this.#wireBytes += step.wireBytes ?? 0;
    this.#request.onProgress({
      phase: this.#request.phase,
      barrierNumber: this.#request.barrierNumber,
      startedAt: this.#startedAt,
      at: new Date().toISOString(),
      totalBytes: this.#totalBytes,
      doneBytes: this.#doneBytes,
      readBytes: this.#readBytes,
      wireBytes: this.#wireBytes,
    });
  }
}

/** 0 while the extents of a disk are still being asked for. */
function knownTotal(request: ShipRequest): number {
  let sum = 0;
  for (const { extents, source } of request.disks) {
    if (Symbol.asyncIterator in extents) return 0;
    sum += totalBytes(readableExtents(extents, source.capacityBytes));
  }
  return sum;
}
