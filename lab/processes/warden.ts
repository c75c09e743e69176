/**
 * Ends the processes of a lab when the process that started them is gone, however it went: reads `+pid` and
 * `-pid` lines on stdin, and acts at its end. A process of its own, because a killed parent runs no handler.
 */
import { createInterface } from 'node:readline';
import { identify, stopProcess, type ProcessIdentity } from './pid.ts';

const guarded = new Map<number, ProcessIdentity>();

process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) guarded.set(pid, identify(pid));
  else guarded.delete(pid);
}
await Promise.all([...guarded.values()].map(stopProcess));
