/** Where each machine of a run stands: its tries, and what of it waits for its turn. */
import { asId, type OperationId } from '../../../domain/ids.ts';
import type { MovePhase, PlanRunInput, RunMember } from '../../contracts/plan.ts';

interface Standing {
  tries: number;
  undos: number;
  /** ISO 8601 UTC, of its first try. */
  startedAt?: string;
  /** Its operations so far: what the run has begun of it. */
  readonly operations: OperationId[];
  /** Ends when it is made ready, or left out. */
  readying?: Promise<void>;
  /** Waits for its turn. */
  prepared?: OperationId;
  /** It is where the run was to bring it. */
  isThere: boolean;
  /** An operator has decided to go on without it. */
  isLeftOut: boolean;
}

/** Operation ids are a function of run, machine and try: short, and the same in every replay. */
export class Moves {
  readonly #runId: PlanRunInput['runId'];
  readonly #standings: Readonly<Record<string, Standing>>;
  readonly #places: Readonly<Record<string, number>>;

  constructor({ runId, members }: Pick<PlanRunInput, 'runId' | 'members'>) {
    this.#runId = runId;
    this.#standings = Object.fromEntries(
      members.map(({ itemId }) => [
        itemId,
        { tries: 0, undos: 0, operations: [], isThere: false, isLeftOut: false },
      ]),
    );
    this.#places = Object.fromEntries(members.map(({ itemId }, index) => [itemId, index]));
  }

  of({ itemId }: Pick<RunMember, 'itemId'>): Standing {
    const standing = this.#standings[itemId];
    if (standing === undefined) throw new Error(`${itemId} is no machine of the run`);
    return standing;
  }

  /** A prepared one goes on with its operation; every other try is one of its own. */
  nextTry(
    member: RunMember,
    phase: 'whole' | 'prepare',
  ): { readonly operationId: OperationId; readonly phase: MovePhase } {
    const standing = this.of(member);
    const { prepared } = standing;
    if (prepared !== undefined) {
      delete standing.prepared;
      return { operationId: prepared, phase: 'start' };
    }
    standing.tries += 1;
    const operationId = this.#idOf(member, `m-${standing.tries}`);
    standing.operations.push(operationId);
    return { operationId, phase };
  }

  prepared(member: RunMember, operationId: OperationId): void {
    this.of(member).prepared = operationId;
  }

  nextUndo(member: RunMember): OperationId {
    const standing = this.of(member);
    standing.undos += 1;
    return this.#idOf(member, `u-${standing.undos}`);
  }

  #idOf({ itemId }: RunMember, what: string): OperationId {
    return asId(`${this.#runId}-${this.#places[itemId] ?? 0}-${what}`);
  }
}
