import { once } from 'node:events';
import { connect } from 'node:net';
import { closing, look, type Look } from './look.ts';

/** Holds when the port accepts a connection. */
export function lookTcp(
  { address, port }: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<Look> {
  return look(signal, async (signal) => {
    const from = performance.now();
    const socket = connect({ host: address, port });
    await closing(signal, () => socket.destroy(), once(socket, 'connect'));
    const ms = Math.round(performance.now() - from);
    return { holds: true, saw: `connected in ${ms} ms`, observed: { ms } };
  });
}
