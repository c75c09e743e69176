/** Makes every step of the round trip last long enough that a kill lands inside it. */
import type { Practice } from '../../support/harness.ts';

const TASKS = [
  'ReconfigVM_Task',
  'CreateSnapshot_Task',
  'RemoveSnapshot_Task',
  'RevertToSnapshot_Task',
  'PowerOnVM_Task',
  'PowerOffVM_Task',
];
const EVERY_TIME = 1_000_000;

export async function slowDown(practice: Practice): Promise<void> {
  const { lab } = practice;
  await lab.guest.client.post('/_lab/delays', {
    methods: Object.fromEntries(TASKS.map((task) => [task, 250])),
    nbdReadBytesPerSecond: 48 << 20,
  });
  await lab.azure.client.post('/_lab/settings', {
    importMs: 800,
    vmStartMs: 800,
    deleteMs: 300,
    operationMs: 200,
  });
  // What a preflight and the making of a group ask.
  for (const path of ['/usages\\?', '/resourcegroups/switchback-[^/]*\\?']) {
    await lab.azure.client.post('/_lab/faults', { path, delayMs: 250, count: EVERY_TIME });
  }
  practice.delayStorage([
    // Fence and item record; the hashes of a comparison; a listing of staged disks; a removal of points and streams.
    { method: 'PUT', path: /\/(fences|items|hashes)\//, ms: 500 },
    { path: /comp=list.*prefix=(failover|points|pins|journal|landed)\//, ms: 250 },
  ]);
}
