/** What becomes of machines and data: said before an operation that cannot simply be undone is confirmed. */
import type { ItemOperation } from './item-operations.ts';
import type { ItemState } from './item-states.ts';
import type { Direction } from './streams.ts';

/** What the consequences depend on. */
export interface Consideration {
  readonly state: ItemState;
  readonly direction: Direction;
  /** Of a failover. */
  readonly shutdownSource?: boolean;
  /** Of a reprotect: to a new machine. */
  readonly elsewhere?: boolean;
}

interface Consequence {
  readonly text: string;
  /** Absent: always. */
  readonly when?: (asked: Consideration) => boolean;
}

const isReverse = ({ direction }: Consideration) => direction === 'reverse';
const isFailback = ({ state }: Consideration) => state === 'failedBack' || state === 'committingFailback';

const always = (text: string): Consequence => ({ text });
const when = (condition: (asked: Consideration) => boolean, text: string): Consequence => ({
  text,
  when: condition,
});
const not = (condition: (asked: Consideration) => boolean) => (asked: Consideration) => !condition(asked);

const storedData =
  'recovery points, replicas, journal and data key in the storage account, and the record of the item';

const endOfProtection: readonly Consequence[] = [
  always(
    'Kept: the machine where it runs, on premises or in Azure, with its disks; and the source as it is.',
  ),
  always('Kept: jobs and their results.'),
  always(`Deleted: ${storedData}.`),
  when(
    isReverse,
    'Deleted: the journal of the way home, and a machine that reprotect made on premises with its disks.',
  ),
];

const consequences: Readonly<Partial<Record<ItemOperation, readonly Consequence[]>>> = {
  failover: [
    always('The machine starts in Azure; what it wrote after the recovery point does not come along.'),
    when(
      ({ shutdownSource }) => shutdownSource === true,
      'Its source is shut down, as far as the site answers.',
    ),
    when(
      ({ shutdownSource }) => shutdownSource === false,
      'Its source is left as it is: what it writes from now on is lost.',
    ),
    always('Recovery points are kept until commit; until then the failover can be rolled back.'),
  ],
  changeRecoveryPoint: [
    always('The Azure machine and its disks are removed, with everything written there since the failover.'),
    always('It is made anew from the other point; source and recovery points stay as they are.'),
  ],
  rollback: [
    always('The Azure machine and its disks are removed, with everything written there since the failover.'),
    always(
      'The source runs again if the failover had shut it down; replication goes on without a full copy.',
    ),
  ],
  commit: [
    when(not(isFailback), 'The Azure machine stays; the failover cannot be rolled back any more.'),
    when(not(isFailback), 'All other recovery points are deleted.'),
    when(isFailback, 'The machine on premises stays; the failback cannot be cancelled any more.'),
    when(isFailback, 'The Azure machine and its disks are removed.'),
  ],
  completeMigration: [
    always('The Azure machine stays; the machine on premises stays as it is, powered off.'),
    always(`Deleted: ${storedData}. The machine cannot be brought home any more.`),
  ],
  reprotect: [
    always('The Azure machine goes on running and replicates home.'),
    when(
      ({ elsewhere }) => elsewhere !== true,
      'The disks of the machine on premises are overwritten with those of the Azure machine; it stays powered off.',
    ),
    when(
      ({ elsewhere }) => elsewhere === true,
      'A new machine is made on premises; the old one stays as it is.',
    ),
  ],
  failback: [
    always('The Azure machine is stopped; it stays with its disks until commit.'),
    always('The machine on premises starts with everything the Azure machine has written.'),
  ],
  cancelFailback: [
    always('The machine on premises is powered off; what it wrote since the failback is lost.'),
    always('The Azure machine runs again as it was stopped, and goes on replicating home.'),
  ],
  excludeDisks: [
    always('The disks are not replicated any more: later failovers come up without them.'),
    always('Recovery points made so far stay until retention ends them.'),
  ],
  disable: [
    ...endOfProtection,
    always('Deleted: snapshots of Switchback on the source, as far as its site answers.'),
    always('Nothing of it comes back: protecting the machine again copies it anew.'),
  ],
  purge: [
    ...endOfProtection,
    always('Nothing is asked of the site: snapshots of Switchback on the source stay until you remove them.'),
  ],
};

/** Operations that want to be confirmed. */
export function isConsequential(operation: ItemOperation): boolean {
  return consequences[operation] !== undefined;
}

export function consequencesOf(operation: ItemOperation, asked: Consideration): string[] {
  return (consequences[operation] ?? [])
    .filter((consequence) => consequence.when?.(asked) !== false)
    .map(({ text }) => text);
}
