/** Ways to see that a program is ready to serve. */
import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';

/** Removes what an earlier start left, so that only this start can be seen. */
export function forgetReadyFile(file: string): Promise<void> {
  return rm(file, { force: true });
}

/** The JSON a program writes once it serves; a half-written file counts as not there yet. */
export async function readyFile<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    return text === '' ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

export function portAccepts(host: string, port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(1_000);
    const answer = (seen: true | undefined) => {
      socket.destroy();
      resolve(seen);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(undefined));
    socket.once('error', () => answer(undefined));
  });
}
