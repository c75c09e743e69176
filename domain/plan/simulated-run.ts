/**
 * One run of a plan in which nothing fails, by the rules of the workflow (`workflows/lib/plan/`) and with durations
 * that are given: when it ends, and what had to end before that.
 */
import { directionOfRun } from './member-move.ts';
import { memberSteps } from './member-steps.ts';
import { areMadeReadyTogether, readyGroups, waitsOf } from './order.ts';
import type { PlanGroup, PlanRunKind, PlanStep, RecoveryPlan } from './plan.ts';
import {
  BEGIN,
  gateOf,
  inTurn,
  lasting,
  Room,
  together,
  type Gate,
  type Moment,
  type Part,
  type Play,
} from './plays.ts';
import type { Supply } from './scheduler.ts';
import { needsFor, planSupplies, type MemberDemand } from './supplies.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface RunShape {
  readonly kind: PlanRunKind;
  readonly plan: RecoveryPlan;
  readonly members: readonly ShapeMember[];
}

export interface ShapeMember extends MemberDemand {
  readonly itemId: string;
  readonly machineName: string;
}

/** A machine is moved as a whole, or made ready up to its network interface and started later. */
export type MovePhase = 'whole' | 'prepare' | 'start';

/** How long each part takes, in seconds. */
export interface RunDurations {
  step(step: PlanStep): number;
  machine(member: ShapeMember, phase: MovePhase): number;
}

/** When everything is over. */
export function playRun(shape: RunShape, durations: RunDurations): Moment {
  const run = new SimulatedRun(shape, durations);
  return run.play();
}

class SimulatedRun {
  readonly #shape: RunShape;
  readonly #durations: RunDurations;
  readonly #clock = new VirtualClock();
  readonly #room: Room;
  readonly #isMadeReady: boolean;
  readonly #gates = new Map<string, Gate>();

  constructor(shape: RunShape, durations: RunDurations) {
    this.#shape = shape;
    this.#durations = durations;
    this.#room = new Room(suppliesOf(shape));
    this.#isMadeReady = areMadeReadyTogether(shape.kind, shape.plan.groups);
  }

  play(): Moment {
    const { before, after } = this.#shape.plan.steps;
    let end = BEGIN;
    const moves = this.#isMadeReady ? together([this.#ready(), this.#groups()]) : this.#groups();
    const whole = inTurn(this.#steps(before), moves, this.#steps(after));
    whole(BEGIN, (at) => {
      end = at;
    });
    this.#clock.run();
    return end;
  }

  #steps(steps: readonly PlanStep[], group?: string): Play {
    const taken = steps.filter(({ when }) => when.includes(this.#shape.kind));
    const plays = taken.map((step) => {
      const part: Part = { id: `step-${step.name}`, kind: 'step', name: step.name, ...groupOf(group) };
      return lasting(this.#clock, part, this.#durations.step(step));
    });
    return inTurn(...plays);
  }

  /** Machines of all groups, up to the moment before they start. */
  #ready(): Play {
    return together(
      this.#shape.members.map((member) => {
        const gate = this.#gateOf(member);
        return inTurn(this.#move(member, 'prepare'), gate.open);
      }),
    );
  }

  #gateOf({ itemId }: ShapeMember): Gate {
    const gate = this.#gates.get(itemId) ?? gateOf();
    this.#gates.set(itemId, gate);
    return gate;
  }

  /** Each begins when its machines are ready and those it waits for are done. */
  #groups(): Play {
    const { kind, plan, members } = this.#shape;
    const waits = waitsOf(plan.groups, directionOfRun[kind]);
    const ofGroup = Map.groupBy(members, ({ group }) => group);
    const plays = new Map(
      plan.groups.map((group) => [group.name, this.#group(group, ofGroup.get(group.name) ?? [])]),
    );
    return (from, done) => {
      const [begun, over] = [new Set<string>(), new Set<string>()];
      const beginReady = (at: Moment): void => {
        if (over.size === plays.size) return done(at);
        for (const name of readyGroups(waits, begun, over)) {
          // A group with nothing in it is over at once, and others have begun behind it already.
          if (begun.has(name)) continue;
          begun.add(name);
          plays.get(name)?.(at, (ended) => {
            over.add(name);
            beginReady(ended);
          });
        }
      };
      beginReady(from);
    };
  }

  #group(group: PlanGroup, members: readonly ShapeMember[]): Play {
    const { before, after } = group.steps;
    const plays = members.map((member) => this.#member(group, member));
    const ready = this.#isMadeReady ? members.map((member) => this.#gateOf(member).pass) : [];
    return inTurn(
      together(ready),
      this.#steps(before, group.name),
      together(plays),
      this.#steps(after, group.name),
    );
  }

  #member(group: PlanGroup, member: ShapeMember): Play {
    const { before, after } = memberSteps(group, member);
    const move = this.#move(member, this.#isMadeReady ? 'start' : 'whole');
    return inTurn(this.#steps(before, group.name), move, this.#steps(after, group.name));
  }

  #move(member: ShapeMember, phase: MovePhase): Play {
    const { machineName: name, itemId, group } = member;
    const part: Part =
      phase === 'prepare'
        ? { id: `ready-${name}`, kind: 'machine', name }
        : { id: `machine-${name}`, kind: 'machine', name, group };
    const applicant = { id: itemId, needs: needsFor(this.#shape.kind, member, phase, []) };
    const seconds = this.#durations.machine(member, phase);
    return this.#room.within(applicant, lasting(this.#clock, part, seconds));
  }
}

/** What machines keep until the end suffices for all of them or the run never ends: that is a clash, told elsewhere. */
function suppliesOf({ plan, members }: RunShape): Supply[] {
  return planSupplies(plan, members).filter(({ keptBy }) => keptBy === 'move');
}

function groupOf(group: string | undefined): Pick<Part, 'group'> {
  return group === undefined ? {} : { group };
}
