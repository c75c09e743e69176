/** What a hostile NBD server may say, and what the client must make of it: an error by name, and no memory set aside for it. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { MiB } from '../../domain/units.ts';
import { BufferWatch } from './fuzz/buffers.ts';
import { flood, honestHandshake, runClient, stopServer } from './fuzz/nbd.ts';
import * as say from './fuzz/nbd-messages.ts';

const { honest } = say;
const watch = new BufferWatch();

beforeEach(() => watch.start());
afterEach(() => watch.stop());
afterAll(stopServer);

const lengthLie = (length: bigint): say.Teller => {
  let numbers = 0;
  // Magic, flags, type and handle come first; the fifth number is the length.
  return (value) => ((numbers += 1) === 5 ? length : BigInt(value));
};

const asks = (payload: Buffer) =>
  Buffer.concat([
    say.greeting(honest),
    say.optionReply(honest, 8, 2 ** 31 + 1, Buffer.alloc(0)),
    say.optionReply(honest, 7, 3, payload),
    say.optionReply(honest, 7, 1, Buffer.alloc(0)),
  ]);

const hugeSize: say.Teller = (value, bits) => (bits === 64 ? 2n ** 63n : BigInt(value));

test.each([
  ['option replies without end', flood(), 'replies without end'],
  ['a disk of 8 EiB', asks(say.exportInfo(hugeSize, 0, 1)), 'an impossible size'],
])('%s end the handshake', async (_title, handshake, reason) => {
  watch.take();
  expect(await runClient({ handshake, replies: null })).toContain(reason);
  expect(watch.take()).toBeLessThan(8 * MiB);
});

test.each([
  ['nothing', 0],
  ['a hole', 2],
  ['block status', 5],
  ['an error', 2 ** 15 + 1],
  ['a kind nobody knows', 9],
])('a chunk of %s that says it has 32 MiB is refused before memory is set aside', async (_title, type) => {
  const replies = say.chunk(lengthLie(32n * 2n ** 20n), 1, type, Buffer.alloc(64), true);
  watch.take();
  expect(await runClient({ handshake: honestHandshake, replies })).toContain('an oversized reply');
  expect(watch.take()).toBeLessThan(MiB);
});
