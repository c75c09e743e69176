import { closeSync, existsSync, fdatasyncSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { mkdirSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultSettings } from './model.ts';
import type {
  Fault,
  Operation,
  PowerChange,
  Resource,
  ResourceByType,
  ResourceType,
  Settings,
  Workload,
} from './model.ts';

export type Change =
  | { readonly put: Resource }
  | { readonly remove: string }
  | { readonly operation: Operation }
  | { readonly workload: Workload }
  | { readonly power: PowerChange }
  | { readonly settings: Settings }
  | { readonly faults: readonly Fault[] };

const POWER_CHANGES_MAX = 20_000;

/** Changes that follow from others; asked before those are applied. */
export type Consequences = (store: Store, changes: readonly Change[]) => Change[];

/**
 * The simulator's memory: maps over an append log. `commit` is atomic and durable before it returns: one line
 * per commit, synced; a line torn by a crash is dropped when the log is read again.
 */
export class Store {
  readonly #resources = new Map<string, Resource>();
  readonly #operations = new Map<string, Operation>();
  readonly #workloads = new Map<string, Workload>();
  #powerChanges: readonly PowerChange[] = [];
  #settings: Settings = defaultSettings;
  #faults: readonly Fault[] = [];
  readonly #consequences: Consequences;
  readonly #log: number;
  #listener: (changes: readonly Change[]) => void = () => {};

  constructor(stateDir: string, consequences: Consequences = () => []) {
    this.#consequences = consequences;
    mkdirSync(stateDir, { recursive: true });
    const path = join(stateDir, 'state.log');
    if (existsSync(path)) for (const change of readLog(path)) this.#apply(change);
    writeDurably(path, `${JSON.stringify(this.#everything())}\n`);
    this.#log = openSync(path, 'a');
  }

  get settings(): Settings {
    return this.#settings;
  }

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  resources(): Resource[] {
    return [...this.#resources.values()];
  }

  resource(id: string): Resource | undefined {
    return this.#resources.get(id.toLowerCase());
  }

  ofType<T extends ResourceType>(type: T): ResourceByType<T>[] {
    return this.resources().filter((resource): resource is ResourceByType<T> => resource.type === type);
  }

  find<T extends ResourceType>(type: T, id: string): ResourceByType<T> | undefined {
    const resource = this.resource(id);
    return resource?.type === type ? (resource as ResourceByType<T>) : undefined;
  }

  operations(): Operation[] {
    return [...this.#operations.values()];
  }

  operation(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  workloads(): Workload[] {
    return [...this.#workloads.values()];
  }

  workload(machine: string): Workload | undefined {
    return this.#workloads.get(machine.toLowerCase());
  }

  powerChanges(): readonly PowerChange[] {
    return this.#powerChanges;
  }

  commit(changes: readonly Change[]): void {
    const all = [...changes, ...this.#consequences(this, changes)];
    writeSync(this.#log, `${JSON.stringify(all)}\n`);
    fdatasyncSync(this.#log);
    for (const change of all) this.#apply(change);
    this.#listener(all);
  }

  /** Hears of every commit after it was applied. */
  onCommit(listener: (changes: readonly Change[]) => void): void {
    this.#listener = listener;
  }

  close(): void {
    closeSync(this.#log);
  }

  #apply(change: Change): void {
    if ('put' in change) this.#resources.set(change.put.id.toLowerCase(), change.put);
    else if ('remove' in change) this.#resources.delete(change.remove.toLowerCase());
    else if ('operation' in change) this.#operations.set(change.operation.id, change.operation);
    else if ('workload' in change) {
      this.#workloads.set(change.workload.machine.toLowerCase(), change.workload);
    } else if ('power' in change) {
      this.#powerChanges = [...this.#powerChanges, change.power].slice(-POWER_CHANGES_MAX);
    } else if ('settings' in change) this.#settings = change.settings;
    else this.#faults = change.faults;
  }

  #everything(): Change[] {
    return [
      ...this.resources().map((put) => ({ put })),
      ...this.operations().map((operation) => ({ operation })),
      ...this.workloads().map((workload) => ({ workload })),
      ...this.#powerChanges.map((power) => ({ power })),
      { settings: this.#settings },
      { faults: this.#faults },
    ];
  }
}

function readLog(path: string): Change[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  const whole = lines.slice(0, -1);
  return whole.flatMap((line) => JSON.parse(line) as Change[]);
}

/** Replaces a file so that after a crash either the old or the new content is there. */
export function writeDurably(path: string, content: string | Buffer, mode = 0o600): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, Buffer.from(content));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
