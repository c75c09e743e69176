/** A process that opens a snapshot, says so and never closes it. What it may do comes as JSON on standard input. */
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { createCloud } from '../../../providers/azure/cloud/cloud.ts';

const orders = z.strictObject({
  subscriptionId: z.string(),
  endpoint: z.string(),
  tlsCa: z.string(),
  token: z.string(),
  snapshotId: z.string(),
});

const { token, snapshotId, ...options } = orders.parse(JSON.parse(await text(process.stdin)));
const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 600_000 }) };
const cloud = createCloud({ ...options, credential, pollIntervalMs: 30 });
await cloud.openSnapshot(snapshotId, null, new AbortController().signal);
process.stdout.write('open\n');
setInterval(() => undefined, 60_000);
