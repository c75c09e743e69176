/** Stops an attempt where it is about to make its barrier, or right after it has. */
import type { StreamPorts } from '../../../activities/replication/frozen-state.ts';

const isBarrier = (blob: string) => blob.startsWith('barriers/');

export interface Held<P extends StreamPorts> {
  readonly ports: P;
  /** Resolves when the attempt is about to make what is held; rejects when it ended before. */
  reached(attempt: Promise<unknown>): Promise<void>;
  /** Lets this and all later ones be made. */
  release(): void;
}

export function heldAtBarrier<P extends StreamPorts>(ports: P): Held<P> {
  return heldAt(ports, isBarrier);
}

/** As `heldAtBarrier`, for the blobs that `isHeld` names. */
export function heldAt<P extends StreamPorts>(ports: P, isHeld: (blob: string) => boolean): Held<P> {
  const arrival = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  const { storage } = ports;
  const putOnce: typeof storage.putOnce = async (name, body, signal) => {
    if (isHeld(name)) {
      arrival.resolve();
      await leave.promise;
    }
    return storage.putOnce(name, body, signal);
  };
  return {
    ports: { ...ports, storage: { ...storage, putOnce } },
    reached: async (attempt) => {
      const ended = attempt.then(() => {
        throw new Error('the attempt ended before it was held');
      });
      await Promise.race([arrival.promise, ended]);
    },
    release: leave.resolve,
  };
}

/** Ends the attempt as a crash between two barriers would: `controller` aborts once its first barrier is durable. */
export function endedAfterBarrier<P extends StreamPorts>(ports: P, controller: AbortController): P {
  const { storage } = ports;
  const putOnce: typeof storage.putOnce = async (name, body, signal) => {
    const outcome = await storage.putOnce(name, body, signal);
    if (isBarrier(name)) controller.abort(new Error('ended by the test'));
    return outcome;
  };
  return { ...ports, storage: { ...storage, putOnce } };
}
