/** This process's side of the warden: names the children that must not outlive it. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

let wardenInput: Socket | undefined;

export function guard(pid: number): void {
  input().write(`+${pid}\n`);
}

export function unguard(pid: number): void {
  wardenInput?.write(`-${pid}\n`);
}

function input(): Socket {
  if (wardenInput !== undefined) return wardenInput;
  const warden = spawn(process.execPath, [fileURLToPath(new URL('warden.ts', import.meta.url))], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  warden.unref();
  // A pipe to a child is a socket, which can be left out of what keeps this process running.
  wardenInput = warden.stdin as unknown as Socket;
  wardenInput.unref();
  wardenInput.on('error', () => (wardenInput = undefined));
  return wardenInput;
}
