/** The threads of this process that compress, seal, hash and open; the main thread keeps sockets and files. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DrError } from '../../domain/errors.ts';
import type { TaskName, Tasks } from '../segment/tasks.ts';
import type { Order, Reply } from './thread.ts';

/** The second one waits in the thread, so that it has work while the answer to the first is on its way. */
const TASKS_PER_THREAD = 2;
const IDLE_MS = 30_000;
/** Its garbage is large buffers: a small young generation lets go of them soon. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

interface Job extends Order {
  settle(reply: Reply): void;
}

interface Thread {
  readonly worker: Worker;
  /** In the order in which they were sent. */
  readonly jobs: Map<number, Job>;
  idle: NodeJS.Timeout | null;
}

/**
 * At most `threadsMax` threads, each started when there is no idle one and ended after half a minute without work. Tasks begin
 * in the order of the calls; how many wait is bounded by the memory they work in (`slabs.ts`). Idle threads keep no
 * process alive. A thread that ends fails the tasks it had, by their names; the next task starts another thread.
 */
export class ThreadPool {
  readonly #threadsMax: number;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  #nextId = 1;

  constructor(threadsMax = availableParallelism()) {
    this.#threadsMax = threadsMax;
  }

  /** Ids of the threads that run, for who watches or disturbs them. */
  get workers(): readonly Worker[] {
    return [...this.#threads].map(({ worker }) => worker);
  }

  /** @throws DR_INTERNAL when the task throws or its thread ends */
  async run<N extends TaskName>(name: N, input: Parameters<Tasks[N]>[0]): Promise<ReturnType<Tasks[N]>> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const id = this.#nextId;
    this.#nextId += 1;
    this.#waiting.push({ id, name, input, settle: resolve });
    this.#dispatch();
    const reply = await promise;
    if ('problem' in reply) throw new DrError('DR_INTERNAL', { reason: `${name}: ${reply.problem}` });
    return reply.output as ReturnType<Tasks[N]>;
  }

  /** Ends all threads; tasks under way fail. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      const thread = this.#choose();
      if (thread === null) return;
      this.#waiting.shift();
      this.#send(thread, job);
    }
  }

  /** The least busy thread; null: all are busy enough. */
  #choose(): Thread | null {
    let best: Thread | null = null;
    for (const thread of this.#threads) {
      if (best === null || thread.jobs.size < best.jobs.size) best = thread;
    }
    if (best?.jobs.size === 0) return best;
    if (this.#threads.size < this.#threadsMax) return this.#start();
    return best !== null && best.jobs.size < TASKS_PER_THREAD ? best : null;
  }

  #send(thread: Thread, job: Job): void {
    if (thread.idle !== null) clearTimeout(thread.idle);
    thread.idle = null;
    thread.worker.ref();
    thread.jobs.set(job.id, job);
    thread.worker.postMessage({ id: job.id, name: job.name, input: job.input } satisfies Order);
  }

  #start(): Thread {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      name: 'segments',
      // Who profiles the process means its threads too; no other option of Node is theirs.
      execArgv: process.execArgv.filter((option) => option.startsWith('--cpu-prof')),
      env: {},
      resourceLimits: RESOURCE_LIMITS,
    });
    const thread: Thread = { worker, jobs: new Map(), idle: null };
    let reason = 'its thread ended';
    worker.on('message', (reply: Reply) => this.#settle(thread, reply));
    worker.on('error', (error: unknown) => {
      reason = `its thread failed: ${error instanceof Error ? error.message : String(error)}`;
    });
    worker.once('exit', () => this.#bury(thread, reason));
    worker.unref();
    this.#threads.add(thread);
    return thread;
  }

  #settle(thread: Thread, reply: Reply): void {
    const job = thread.jobs.get(reply.id);
    thread.jobs.delete(reply.id);
    this.#dispatch();
    if (thread.jobs.size === 0) this.#rest(thread);
    job?.settle(reply);
  }

  #rest(thread: Thread): void {
    thread.worker.unref();
    thread.idle = setTimeout(() => void thread.worker.terminate(), IDLE_MS).unref();
  }

  #bury(thread: Thread, reason: string): void {
    this.#threads.delete(thread);
    if (thread.idle !== null) clearTimeout(thread.idle);
    for (const job of thread.jobs.values()) job.settle({ id: job.id, problem: reason });
    this.#dispatch();
  }
}

/** All disks of a process share it. */
export const segmentThreads = new ThreadPool();
