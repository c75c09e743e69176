/** Counts what is asked for in buffers: an allocation that nobody touches shows in no other figure. */
const makers = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

export class BufferWatch {
  readonly #real = makers.map((name) => Buffer[name]);
  #bytes = 0;

  start(): void {
    for (const [index, name] of makers.entries()) {
      const real = this.#real[index] as (size: number, ...more: unknown[]) => Buffer<ArrayBuffer>;
      Buffer[name] = (size: number, ...more: unknown[]) => {
        this.#bytes += size;
        return real.call(Buffer, size, ...more);
      };
    }
  }

  /** Since the last call. */
  take(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  stop(): void {
    for (const [index, name] of makers.entries()) Buffer[name] = this.#real[index] as typeof Buffer.alloc;
  }
}
