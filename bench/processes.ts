/** What Linux counts about processes, read from /proc. */
import { readFileSync } from 'node:fs';

/** The kernel's clock ticks in a second; fixed in the interface to programs. */
const TICKS = 100;
const KIB = 1024;

/** User and system time of all its threads, to 10 ms; what it has started is not counted. */
export function cpuSeconds(pid: number): number {
  return cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** From the text of `/proc/<pid>/stat`: the name in brackets may hold anything. */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

export interface Memory {
  readonly rssBytes: number;
  /** The most it ever held. */
  readonly peakBytes: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * KIB;
  return { rssBytes: field('VmRSS'), peakBytes: field('VmHWM') };
}

/** Of a process and all below it; 0 for what has ended. */
export function treeRssBytes(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const below = children === '' ? [] : children.split(' ').map(Number);
    return below.reduce((sum, child) => sum + treeRssBytes(child), memoryOf(pid).rssBytes);
  } catch {
    return 0;
  }
}

/** Received bytes of a device, from the text of `/proc/net/dev`. */
export function receivedBytesIn(devices: string, device: string): number {
  const line = devices.split('\n').find((each) => each.trim().startsWith(`${device}:`));
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[0] ?? 0);
}

/** Sent bytes of a device, from the text of `/proc/net/dev`. */
export function sentBytesIn(devices: string, device: string): number {
  const line = devices.split('\n').find((each) => each.trim().startsWith(`${device}:`));
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[8] ?? 0);
}

/** True: something listens on the port, by the text of `/proc/net/tcp`. */
export function listensIn(table: string, port: number): boolean {
  const LISTEN = '0A';
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, , state]) => state === LISTEN && local?.endsWith(`:${wanted}`) === true);
}
