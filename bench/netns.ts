/** Network namespaces: each contender is alone in its own, so the bytes of its devices are its own. */
import { readdirSync } from 'node:fs';
import { isAlive } from '../lab/processes/pid.ts';
import { receivedBytesIn, listensIn, sentBytesIn } from './processes.ts';
import { run } from './shell.ts';

const NAME = 'swbench';
const FOLDER = '/run/netns';

export interface Namespace {
  readonly name: string;
  /** Stands before a command that is to run inside. */
  readonly prefix: readonly string[];
  receivedBytes(device: string): Promise<number>;
  sentBytes(device: string): Promise<number>;
  listens(port: number): Promise<boolean>;
  /** Everything inside must have ended. */
  remove(): Promise<void>;
}

/** An empty one whose loopback device is up. Needs root. */
export async function createNamespace(label: string): Promise<Namespace> {
  const name = `${NAME}-${process.pid}-${label}`;
  await run('ip', ['netns', 'add', name]);
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const prefix = ['ip', 'netns', 'exec', name];
  const read = (file: string) => run('ip', ['netns', 'exec', name, 'cat', file]);
  return {
    name,
    prefix,
    receivedBytes: async (device) => receivedBytesIn(await read('/proc/net/dev'), device),
    sentBytes: async (device) => sentBytesIn(await read('/proc/net/dev'), device),
    listens: async (port) => listensIn(await read('/proc/net/tcp'), port),
    remove: async () => void (await run('ip', ['netns', 'del', name])),
  };
}

export interface Link {
  readonly device: string;
  readonly fromAddress: string;
  readonly toAddress: string;
}

/** A pair of virtual network cards between two namespaces; what `from` sends is shaped by a token bucket. */
export async function connect(from: Namespace, to: Namespace, rateMbit: number): Promise<Link> {
  const link = { device: 'near', fromAddress: '10.99.0.1', toAddress: '10.99.0.2' };
  await run('ip', [
    'link',
    'add',
    link.device,
    'netns',
    from.name,
    'type',
    'veth',
    'peer',
    'far',
    'netns',
    to.name,
  ]);
  for (const [namespace, device, address] of [
    [from.name, link.device, link.fromAddress],
    [to.name, 'far', link.toAddress],
  ] as const) {
    await run('ip', ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device]);
    await run('ip', ['-n', namespace, 'link', 'set', device, 'up']);
  }
  const shaping = ['tbf', 'rate', `${rateMbit}mbit`, 'burst', '256kb', 'latency', '50ms'];
  await run('tc', ['-n', from.name, 'qdisc', 'add', 'dev', link.device, 'root', ...shaping]);
  return link;
}

/** Removes namespaces whose maker is gone. */
export async function removeAbandoned(): Promise<void> {
  for (const name of namesIn(FOLDER)) {
    const pid = Number(/^swbench-(\d+)-/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isAlive({ pid, startedTicks: null })) continue;
    await run('ip', ['netns', 'del', name]);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
