/** Runs a piece of work again when its session is lost, and names what it attempted when it fails. */
import type { MachineId } from '../../domain/ids.ts';
import { toDrError } from './faults.ts';
import { findMachine } from './inventory.ts';
import type { VimSession } from './session.ts';
import type { MoRef } from './values.ts';

export interface Attempts {
  readonly attempt: <T>(attempted: string, work: () => Promise<T>, machine?: MachineId) => Promise<T>;
  readonly attemptEach: <T>(attempted: string, items: () => AsyncIterable<T>) => AsyncGenerator<T>;
  /** @throws DR_MACHINE_UNKNOWN */
  readonly onMachine: <T>(attempted: string, id: MachineId, work: (ref: MoRef) => Promise<T>) => Promise<T>;
}

export function createAttempts(session: VimSession): Attempts {
  const { id: vcenter, url } = session.connection;
  const fail = (attempted: string, error: unknown, machine?: MachineId) =>
    toDrError(error, { vcenter, url, attempted, ...(machine === undefined ? {} : { machine }) });

  function attempt<T>(attempted: string, work: () => Promise<T>, machine?: MachineId): Promise<T> {
    return session.resume(work).catch((error: unknown) => {
      throw fail(attempted, error, machine);
    });
  }

  async function* attemptEach<T>(attempted: string, items: () => AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* items();
    } catch (error) {
      throw fail(attempted, error);
    }
  }

  function onMachine<T>(attempted: string, id: MachineId, work: (ref: MoRef) => Promise<T>): Promise<T> {
    const named = `${attempted} of machine ${id}`;
    return attempt(named, async () => work(await findMachine(session, id)), id);
  }

  return { attempt, attemptEach, onMachine };
}
