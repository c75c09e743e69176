/** The end of what a program writes, bounded and without its secrets. */
import { needlesOf, redact } from './redact.ts';

/**
 * Keeps the last `bytesMax` bytes. So much more is kept as the longest secret has, and left out at the cut: half a
 * secret there would not be known as one.
 */
export class Tail {
  readonly #bytesMax: number;
  readonly #secrets: readonly string[];
  readonly #margin: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #isCut = false;

  constructor(bytesMax: number, secrets: readonly string[]) {
    this.#bytesMax = bytesMax;
    this.#secrets = secrets;
    this.#margin = Math.max(0, ...needlesOf(secrets).map((needle) => Buffer.byteLength(needle)));
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length > 4 * this.#kept) this.#cut();
  }

  text(): string {
    this.#cut();
    const clean = Buffer.from(redact(Buffer.concat(this.#chunks).toString('utf8'), this.#secrets));
    const from = Math.max(this.#isCut ? this.#margin : 0, clean.length - this.#bytesMax);
    return clean.subarray(from).toString('utf8');
  }

  get #kept(): number {
    return this.#bytesMax + 2 * this.#margin;
  }

  #cut(): void {
    if (this.#length <= this.#kept) return;
    const kept = Buffer.from(Buffer.concat(this.#chunks).subarray(this.#length - this.#kept));
    this.#chunks = [kept];
    this.#length = kept.length;
    this.#isCut = true;
  }
}
