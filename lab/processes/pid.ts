/** Operating-system processes by number, told apart from a later process that got the same number. */
import { readFileSync } from 'node:fs';
import { waitFor } from '../wait.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time as the kernel counts it; null where there is no /proc. */
  readonly startedTicks: string | null;
}

const TERM_MS = 15_000;
const KILL_MS = 5_000;

export function identify(pid: number): ProcessIdentity {
  return { pid, startedTicks: startedTicks(pid) };
}

export function isAlive({ pid, startedTicks: expected }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return expected === null || startedTicks(pid) === expected;
}

/** SIGTERM, then after 15 s SIGKILL to the process and the group it leads. Resolves when it is gone. */
export async function stopProcess(identity: ProcessIdentity): Promise<void> {
  if (!isAlive(identity)) return;
  signal(identity.pid, 'SIGTERM');
  const gone = () => !isAlive(identity);
  const stopped = await waitFor(gone, { what: 'the process to end', withinMs: TERM_MS, everyMs: 20 }).catch(
    () => false,
  );
  if (stopped) return;
  signal(-identity.pid, 'SIGKILL');
  signal(identity.pid, 'SIGKILL');
  await waitFor(gone, { what: `process ${identity.pid} to be killed`, withinMs: KILL_MS, everyMs: 20 });
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Field 22 of /proc/<pid>/stat; a zombie counts as ended. */
function startedTicks(pid: number): string | null {
  if (process.platform !== 'linux') return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
  } catch {
    return 'ended';
  }
}
