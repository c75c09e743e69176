/**
 * Gives the memory behind a buffer back at once, for the next one to use while it is warm: the garbage collector sees
 * little of it and lets tens of MiB gather. Nothing may look at the buffer afterwards. Small buffers share a pool and
 * are left alone.
 */
export function letGo(buffer: Uint8Array): void {
  const { buffer: memory } = buffer;
  if (memory instanceof ArrayBuffer && memory.byteLength > 2 * Buffer.poolSize) memory.transfer(0);
}
