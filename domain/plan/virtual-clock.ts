/** Time that passes from event to event. What is due at the same moment happens in the order in which it was set. */
interface Alarm {
  readonly seconds: number;
  readonly order: number;
  readonly ring: () => void;
}

export class VirtualClock {
  /** A binary heap: the next alarm first. */
  readonly #alarms: Alarm[] = [];
  #set = 0;

  at(seconds: number, ring: () => void): void {
    const alarm = { seconds, order: this.#set, ring };
    this.#set += 1;
    let place = this.#alarms.push(alarm) - 1;
    for (;;) {
      const above = (place - 1) >> 1;
      const parent = this.#alarms[above];
      if (place === 0 || parent === undefined || isBefore(parent, alarm)) break;
      this.#alarms[place] = parent;
      place = above;
    }
    this.#alarms[place] = alarm;
  }

  /** Until no alarm is left. */
  run(): void {
    for (let next = this.#take(); next !== undefined; next = this.#take()) next.ring();
  }

  #take(): Alarm | undefined {
    const alarms = this.#alarms;
    const [first] = alarms;
    const last = alarms.pop();
    if (first === undefined || last === undefined || alarms.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const [a, b] = [alarms[left], alarms[left + 1]];
      const child = a === undefined ? undefined : b !== undefined && isBefore(b, a) ? b : a;
      if (child === undefined || isBefore(last, child)) break;
      alarms[place] = child;
      place = child === a ? left : left + 1;
    }
    alarms[place] = last;
    return first;
  }
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.order < b.order);
}
