/** What a world of tests is made of. Plain JSON, so that two worlds can be compared and one be copied. */
import type { RunMode } from '../../../../domain/ports.ts';
import type { Fence } from '../../../../dataplane/fence.ts';

/** Bytes of a disk, told apart by a number; a guest that writes makes a number that was never there. */
export type Content = number;

export interface Machine {
  power: 'on' | 'off';
  content: Content;
  tracking: boolean;
  marked: boolean;
  connected: boolean;
  snapshots: Record<string, Content>;
  /** Of a machine that reprotect made. */
  key?: string;
}

/** What one run made in Azure. */
export interface AzureRun {
  mode: RunMode;
  group: boolean;
  staged: Record<string, Content>;
  disks: Record<string, Content>;
  snapshots: Record<string, Content>;
  nic: boolean;
  vm: 'none' | 'running' | 'deallocated';
}

interface Stream {
  /** By barrier number, from 1. */
  barriers: Content[];
  /** Newest session epoch that wrote. */
  epoch: number;
  /** Barrier that an epoch made as its last. */
  finals: Record<number, number>;
}

export interface Forward extends Stream {
  /** Last barrier that the replica holds. */
  applied: number;
  /** Barrier numbers that are recovery points. */
  points: number[];
  /** `<point>-<run>`. */
  pins: string[];
  hasKey: boolean;
  record: string | null;
}

export interface Reverse extends Stream {
  /** Last barrier that the disks at home hold. */
  landed: number;
  /** Newest session epoch that wrote to the disks. */
  landEpoch: number;
  /** Numbers of the Azure snapshots. */
  snapshots: number[];
  isPurged: boolean;
}

export interface WorldState {
  machines: Record<string, Machine>;
  fence: Fence;
  runs: Record<string, AzureRun>;
  forward: Forward;
  reverse: Record<string, Reverse>;
  lastContent: Content;
  /** Somebody who is not the product powers machines. */
  isDisturbed: boolean;
  /** An operator has asked for a failover that leaves the source on, or nobody can reach it. */
  mayRunTwice: boolean;
}

export function newState(source: string): WorldState {
  return {
    machines: {
      [source]: {
        power: 'on',
        content: 1,
        tracking: false,
        marked: false,
        connected: true,
        snapshots: {},
      },
    },
    fence: { owner: 'onPremises', number: 0 },
    runs: {},
    forward: newForward(),
    reverse: {},
    lastContent: 1,
    isDisturbed: false,
    mayRunTwice: false,
  };
}

export function newForward(): Forward {
  return {
    barriers: [],
    epoch: 0,
    finals: {},
    applied: 0,
    points: [],
    pins: [],
    hasKey: false,
    record: null,
  };
}

export function newRun(mode: RunMode): AzureRun {
  return { mode, group: false, staged: {}, disks: {}, snapshots: {}, nic: false, vm: 'none' };
}

export function newReverse(): Reverse {
  return { barriers: [], epoch: 0, finals: {}, landed: 0, landEpoch: 0, snapshots: [], isPurged: false };
}
