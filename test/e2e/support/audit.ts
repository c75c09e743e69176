/** What must never have happened, read from the histories and listings of the practice ground; the product is asked nothing. */
import type { AzureHistory, AzureResource, VCenterHistory } from '../../../lab/controls.ts';
import { azureNames, ITEM_TAG, RUN_TAG, SNAPSHOT_PREFIX } from '../../../domain/names.ts';

/** Times are ms since 1970; `to` is Infinity while it lasts. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Evidence {
  readonly machine: string;
  /** Of the machine, and of those of its name that are gone. */
  readonly home: readonly VCenterHistory[];
  readonly azure: AzureHistory;
  readonly resources: readonly AzureResource[];
  /** Runs that may have something in Azure now. */
  readonly liveRuns: readonly string[];
  /** Names of the snapshots the machine has at home now, and of those it may have. */
  readonly snapshots: readonly string[];
  readonly mayHaveSnapshot: (name: string) => boolean;
  /** Machines on the site that nobody put there but the product. */
  readonly strangers: readonly string[];
  /** Blobs that belong to a run: staged disks, pins. */
  readonly runBlobs: readonly string[];
  /** When the test itself started the machine behind the product's back. */
  readonly excused: readonly Span[];
}

export const findingKinds = ['duplicate', 'orphan', 'doubleWriter', 'bothOn'] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface Finding {
  readonly kind: FindingKind;
  readonly what: string;
}

/** Empty: nothing of the kind has happened since the practice ground began. */
export function audit(evidence: Evidence): Finding[] {
  return [...bothOn(evidence), ...doubleWriters(evidence), ...duplicates(evidence), ...orphans(evidence)];
}

// ------------------------------------------------------------ two sides

function bothOn({ machine, home, azure, excused }: Evidence): Finding[] {
  const live = azure.machines.filter(({ id }) => lastSegment(id) === azureNames.vm(machine, 'real'));
  const sides = [
    ...home.map(({ moRef, power }) => ({
      name: `${moRef} at home`,
      on: spansOf(power, ({ on }) => on, atMs),
    })),
    ...live.map(({ id, power }) => ({ name: id, on: spansOf(power, ({ state }) => isOn(state), at) })),
  ];
  return pairs(sides).flatMap(([a, b]) =>
    overlaps(a.on, b.on)
      .filter((both) => !excused.some((span) => span.from <= both.from && both.to <= span.to))
      .map((both) => finding('bothOn', `${a.name} and ${b.name} ${words(both)}`)),
  );
}

/** What is starting or stopping still runs. */
function isOn(state: string): boolean {
  return !['stopped', 'deallocated', 'deleted'].includes(state);
}

// ------------------------------------------------------------ writers

function doubleWriters({ home, azure }: Evidence): Finding[] {
  return [
    ...home.flatMap(writersAtHome),
    ...azure.disks.flatMap(({ id, writes }) =>
      pairs(writes).flatMap(([a, b]) =>
        overlap({ from: a.firstAt, to: a.lastAt }, { from: b.firstAt, to: b.lastAt })
          .filter(() => a.writer !== b.writer)
          .map((both) => finding('doubleWriter', `${id}: ${a.writer} and ${b.writer} ${words(both)}`)),
      ),
    ),
  ];
}

/** Two exports of one disk at a time, or an export beside a guest that runs. */
function writersAtHome({ moRef, power, writers }: VCenterHistory): Finding[] {
  const exports = writers.map(({ disk, openedAtMs, closedAtMs }) => ({
    disk,
    span: { from: openedAtMs, to: closedAtMs ?? Infinity },
  }));
  const on = spansOf(power, (change) => change.on, atMs);
  const twice = pairs(exports)
    .filter(([a, b]) => a.disk === b.disk)
    .flatMap(([a, b]) => overlap(a.span, b.span).map((both) => `disk ${a.disk}: two exports ${words(both)}`));
  const besideGuest = exports.flatMap(({ disk, span }) =>
    overlaps(on, [span]).map((both) => `disk ${disk}: an export and the guest ${words(both)}`),
  );
  return [...twice, ...besideGuest].map((what) => finding('doubleWriter', `${moRef} ${what}`));
}

// ------------------------------------------------------------ things

function ours({ resources }: Evidence): readonly AzureResource[] {
  return resources.filter(({ id }) => !/\/resourcegroups\/practice-network(\/|$)/i.test(id));
}

function duplicates(evidence: Evidence): Finding[] {
  const { machine, snapshots } = evidence;
  const byRole = Map.groupBy(ours(evidence), (each) => `${each.tags[RUN_TAG]} ${roleOf(each)}`);
  const inAzure = [...byRole].filter(([, same]) => same.length > 1);
  const atHome = [...Map.groupBy(snapshots, (name) => name)].filter(([, same]) => same.length > 1);
  return [
    ...inAzure.map(([role, same]) => finding('duplicate', `${role}: ${same.map(({ id }) => id).join(', ')}`)),
    ...atHome.map(([name]) => finding('duplicate', `snapshot ${name} of ${machine}`)),
  ];
}

/** What it is for in its run: there is one of it. */
function roleOf({ type, name }: AzureResource): string {
  const kind = lastSegment(type).toLowerCase();
  return ['disks', 'snapshots'].includes(kind)
    ? `${kind} ${/-disk\d+(-s\d+)?$/.exec(name)?.[0] ?? ''}`
    : kind;
}

function orphans(evidence: Evidence): Finding[] {
  const { machine, liveRuns, snapshots, mayHaveSnapshot, strangers, runBlobs } = evidence;
  const lost = ours(evidence).filter(
    ({ tags }) => !liveRuns.includes(tags[RUN_TAG] ?? '') || tags[ITEM_TAG] === undefined,
  );
  const left = snapshots.filter((name) => name.startsWith(SNAPSHOT_PREFIX) && !mayHaveSnapshot(name));
  return [
    ...lost.map(({ id, tags }) => `${id} of run ${tags[RUN_TAG] ?? '(none)'}`),
    ...left.map((name) => `snapshot ${name} of ${machine}`),
    ...strangers.map((name) => `machine ${name} on the site`),
    ...runBlobs.map((name) => `blob ${name}`),
  ].map((what) => finding('orphan', what));
}

// ------------------------------------------------------------ spans

const atMs = (change: { readonly atMs: number }) => change.atMs;
const at = (change: { readonly at: number }) => change.at;

function spansOf<T>(changes: readonly T[], on: (change: T) => boolean, when: (change: T) => number): Span[] {
  const spans: Span[] = [];
  for (const change of changes) {
    const last = spans.at(-1);
    const isRunning = last?.to === Infinity;
    if (on(change) && !isRunning) spans.push({ from: when(change), to: Infinity });
    if (!on(change) && isRunning) spans[spans.length - 1] = { from: last.from, to: when(change) };
  }
  return spans;
}

/** Touching ends are none. */
function overlap(a: Span, b: Span): Span[] {
  const both = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
  return both.from < both.to ? [both] : [];
}

function overlaps(a: readonly Span[], b: readonly Span[]): Span[] {
  return a.flatMap((one) => b.flatMap((other) => overlap(one, other)));
}

function pairs<T>(values: readonly T[]): (readonly [T, T])[] {
  return values.flatMap((a, index) => values.slice(index + 1).map((b) => [a, b] as const));
}

function words({ from, to }: Span): string {
  const end = to === Infinity ? 'now' : `${new Date(to).toISOString()} (${to - from} ms)`;
  return `from ${new Date(from).toISOString()} to ${end}`;
}

function finding(kind: FindingKind, what: string): Finding {
  return { kind, what };
}

function lastSegment(id: string): string {
  return id.split('/').at(-1) ?? id;
}
