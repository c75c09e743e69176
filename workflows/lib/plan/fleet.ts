/**
 * Moves the machines of a run. Each applies with what it needs and begins when that is free (`domain/plan/scheduler.ts`);
 * those that begin together are asked for in one activity, which answers when some have ended: the history grows with
 * the time a run takes, not with the number of its machines.
 */
import { CancelledFailure, condition } from '@temporalio/workflow';
import type { OperationId } from '../../../domain/ids.ts';
import { admit, giveBack, hold, type Needs, type Supply } from '../../../domain/plan/scheduler.ts';
import type {
  AskedMember,
  MemberEnd,
  MemberResult,
  MovePhase,
  OperateMembersInput,
  RunMember,
} from '../../contracts/plan.ts';
import { refusal } from '../failures.ts';
import { members as calls } from '../proxies.ts';
import type { PlanContext } from './context.ts';

/** Asked for in one activity: a few hundred bytes each. */
const BATCH_MAX = 200;
/** A run of this size shows every end at once; larger ones, those of some seconds together. */
const SMALL_RUN = 50;
const GATHER_SECONDS = { small: 0.25, large: 3 } as const;

export interface Move {
  readonly member: RunMember;
  readonly operationId: OperationId;
  readonly phase: MovePhase;
  readonly undo?: true;
  /** An operation of it that waits for its turn. */
  readonly prepared?: OperationId;
  /** With `undo`: those that the run has asked for. */
  readonly operations?: readonly OperationId[];
  readonly needs: Needs;
}

interface Applied extends Move {
  /** An activity was asked for it. */
  wasAsked: boolean;
  /** What its operation asks an operator; while it does, it keeps no turn that others wait for. */
  asks: string;
  /** Why it waits; empty when it does not any more. */
  say(reason: string): void;
  resolve(result: MemberResult): void;
  reject(error: unknown): void;
}

export class Fleet {
  readonly #context: PlanContext;
  #supplies: readonly Supply[] = [];
  #held: Needs = {};
  #waiting: Applied[] = [];
  #changes = 0;
  #seen = '';
  #moving = 0;

  /** Of those that move: they go on when somebody has decided about their own operation. */
  readonly #asking = new Set<Applied>();

  /** What machines that are made ready keep until the run is over. */
  readonly #kept = new Map<string, Needs>();

  constructor(context: PlanContext) {
    this.#context = context;
  }

  /** Once; ends with the workflow. What waits when this fails fails with it. */
  begin(): void {
    this.#serve().catch((error: unknown) => {
      for (const applied of this.#waiting.splice(0)) applied.reject(error);
    });
  }

  /** From now on; what machines hold already is counted. */
  supply(supplies: readonly Supply[]): void {
    this.#supplies = supplies;
    this.#changes += 1;
  }

  /** Measured while nothing moves: what machines have made is in use now, and no longer held. */
  supplyAnew(kept: readonly Supply[], measured: readonly Supply[]): void {
    const anew = new Set(measured.map(({ id }) => id));
    this.#kept.clear();
    this.#held = Object.fromEntries(Object.entries(this.#held).filter(([id]) => !anew.has(id)));
    // Of those that ask somebody nobody can tell what they have made: they keep what they hold.
    for (const { needs } of this.#asking) this.#held = hold(this.#held, onlyKept(needs, measured));
    this.supply([...kept, ...measured]);
  }

  /** Machines wait, and none moves by itself that could give anything back. */
  get isStuck(): boolean {
    const { isHeld, ending } = this.#context.desk;
    return (
      this.#moving === this.#asking.size && !isHeld && ending === undefined && this.#waiting.some(isForward)
    );
  }

  /** When everything that has changed was looked at. */
  admitted(): Promise<void> {
    return condition(() => this.#seen === this.#situation());
  }

  /** The first that waits goes no further by itself: whoever decides about it is told for what it waits. */
  giveUpFirst(): RunMember | undefined {
    const first = this.#waiting.find(isForward);
    if (first === undefined) return undefined;
    this.#waiting = this.#waiting.filter((applied) => applied !== first);
    const { member, operationId: id, needs } = first;
    const [wait] = admit([{ id, needs }], this.#held, this.#supplies).waits;
    const reason = wait?.reason ?? 'waits';
    first.reject(refusal('DR_CAPACITY_MISSING', { machine: member.machineName, reason }));
    return member;
  }

  /** @throws what the machine's operation failed with; CancelledFailure when the run ends before it has begun */
  move(move: Move, say: (reason: string) => void): Promise<MemberResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...move, wasAsked: false, asks: '', say, resolve, reject });
      this.#changes += 1;
    });
  }

  /** Everything that applies at the same moment is looked at together. */
  async #serve(): Promise<never> {
    for (;;) {
      await condition(() => this.#situation() !== this.#seen);
      this.#seen = this.#situation();
      this.#endWaiting();
      this.#admit();
    }
  }

  #situation(): string {
    const { isHeld, ending = '' } = this.#context.desk;
    return `${this.#changes} ${isHeld} ${ending}`;
  }

  /** When the run is to end nothing further begins; what takes back goes on. */
  #endWaiting(): void {
    if (this.#context.desk.ending === undefined) return;
    const ended = this.#waiting.filter(isForward);
    this.#waiting = this.#waiting.filter((applied) => !isForward(applied));
    for (const applied of ended) applied.reject(new CancelledFailure('the run ends'));
  }

  #admit(): void {
    const { isHeld } = this.#context.desk;
    const eligible = this.#waiting.filter((applied) => !isHeld || !isForward(applied));
    const applicants = eligible.map(({ operationId: id, needs }) => ({ id, needs }));
    const { begin, waits } = admit(applicants, this.#held, this.#supplies);
    const beginning = new Set<string>(begin);
    const begun = this.#waiting.filter(({ operationId }) => beginning.has(operationId));
    this.#waiting = this.#waiting.filter(({ operationId }) => !beginning.has(operationId));
    const waiting = new Map<string, Applied>(this.#waiting.map((each) => [each.operationId, each]));
    for (const { id, reason } of waits) waiting.get(id)?.say(reason);
    for (const applied of begun) {
      this.#held = hold(this.#held, applied.needs);
      this.#moving += 1;
      applied.say('');
    }
    for (const batch of batchesOf(begun)) this.#attend(batch).catch(() => undefined);
  }

  /** Until all of the batch have ended. */
  async #attend(batch: readonly Applied[]): Promise<void> {
    let open = batch;
    try {
      while (open.length > 0) {
        const ends = await this.#ask(open);
        const ended = new Map(ends.map((end) => [end.operationId, end]));
        for (const applied of open) this.#hear(applied, ended.get(applied.operationId));
        open = open.filter(({ operationId }) => isOpen(ended.get(operationId)));
      }
    } catch (error) {
      for (const applied of open) {
        this.#goOn(applied, '');
        this.#return(applied.needs, 'something');
        applied.reject(error);
      }
    }
  }

  #ask(open: readonly Applied[]): Promise<readonly MemberEnd[]> {
    const [{ phase, undo } = { phase: 'whole' as const, undo: undefined }] = open;
    const shared = sharedOf(this.#context, phase, undo);
    const members = open.map(askedOf);
    for (const applied of open) applied.wasAsked = true;
    return calls.operateMembers({ ...shared, members });
  }

  #hear(applied: Applied, end: MemberEnd | undefined): void {
    if (end === undefined) return;
    if ('asks' in end) {
      this.#goOn(applied, end.asks);
      applied.say(end.asks);
    } else {
      this.#goOn(applied, '');
      this.#end(applied, end);
    }
  }

  /** Somebody may take until the morning to answer: meanwhile its turns are those of others. */
  #goOn(applied: Applied, asks: string): void {
    if (asks !== '' && applied.asks === '') {
      this.#held = giveBack(this.#held, applied.needs, this.#supplies, 'something');
      this.#asking.add(applied);
      this.#changes += 1;
    }
    if (asks === '' && applied.asks !== '') {
      this.#held = hold(this.#held, onlyOfMove(applied.needs, this.#supplies));
      this.#asking.delete(applied);
    }
    applied.asks = asks;
  }

  #end(applied: Applied, end: Exclude<MemberEnd, { readonly asks: string }>): void {
    const failed = 'error' in end;
    const isMade = !failed && applied.undo !== true && end.result.ended !== 'reached';
    const { itemId } = applied.member;
    // A start that failed, and a machine that was taken back, leave nothing of what was made ready either.
    const before = this.#kept.get(itemId) ?? {};
    if (isMade) this.#kept.set(itemId, hold(before, applied.needs));
    else {
      this.#kept.delete(itemId);
      this.#held = giveBack(this.#held, onlyKept(before, this.#supplies), this.#supplies, 'nothing');
    }
    this.#return(applied.needs, isMade ? 'something' : 'nothing');
    if (failed) applied.reject(refusal(end.error.code, end.error.context));
    else applied.resolve(end.result);
  }

  #return(needs: Needs, made: 'something' | 'nothing'): void {
    this.#held = giveBack(this.#held, needs, this.#supplies, made);
    this.#moving -= 1;
    this.#changes += 1;
  }
}

function isOpen(end: MemberEnd | undefined): boolean {
  return end === undefined || 'asks' in end;
}

function onlyKept(needs: Needs, supplies: readonly Supply[]): Needs {
  const kept = keptByRun(supplies);
  return Object.fromEntries(Object.entries(needs).filter(([id]) => kept.has(id)));
}

function onlyOfMove(needs: Needs, supplies: readonly Supply[]): Needs {
  const kept = keptByRun(supplies);
  return Object.fromEntries(Object.entries(needs).filter(([id]) => !kept.has(id)));
}

function keptByRun(supplies: readonly Supply[]): ReadonlySet<string> {
  return new Set(supplies.filter(({ keptBy }) => keptBy === 'run').map(({ id }) => id));
}

/** Neither taking back nor letting go. */
function isForward({ undo, phase }: Move): boolean {
  return undo !== true && phase !== 'leave';
}

function sharedOf(
  { input }: PlanContext,
  phase: MovePhase,
  undo?: true,
): Omit<OperateMembersInput, 'members'> {
  const { runId, requestedBy, kind, choice, shutdownSource, subnetId, place, plan, onlyDrillOf } = input;
  const isLarge = input.members.length > SMALL_RUN;
  return {
    runId,
    requestedBy,
    planName: plan.name,
    kind,
    phase,
    ...(undo === true ? { undo } : {}),
    // Nobody is there to ask again.
    onBusy: undo === true || isCleaningUp(input) ? 'queue' : plan.plan.onBusy,
    choice,
    shutdownSource,
    ...(subnetId === undefined ? {} : { subnetId }),
    ...(place === undefined ? {} : { place }),
    ...(onlyDrillOf === undefined ? {} : { onlyDrillOf }),
    hearsQuestions: true,
    gatherSeconds: isLarge ? GATHER_SECONDS.large : GATHER_SECONDS.small,
  };
}

function isCleaningUp({ kind, unattended }: PlanContext['input']): boolean {
  return kind === 'cleanup' && unattended === true;
}

function askedOf({ member, operationId, phase, wasAsked, prepared, operations, asks }: Applied): AskedMember {
  const { itemId, machineName, pointId } = member;
  return {
    itemId,
    machineName,
    operationId,
    ...(wasAsked || phase === 'start' ? {} : { isNew: true }),
    ...(pointId === undefined ? {} : { pointId }),
    ...(prepared === undefined ? {} : { prepared }),
    ...(operations === undefined ? {} : { operations }),
    ...(asks === '' ? {} : { asks }),
  };
}

/** Of one kind each. */
function batchesOf(begun: readonly Applied[]): Applied[][] {
  const batches: Applied[][] = [];
  for (const applied of begun) {
    const fitting = batches.find(
      ([first, ...rest]) =>
        first?.phase === applied.phase && first.undo === applied.undo && rest.length < BATCH_MAX - 1,
    );
    if (fitting === undefined) batches.push([applied]);
    else fitting.push(applied);
  }
  return batches;
}
