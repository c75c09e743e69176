/**
 * The application of a practice machine. What it serves stands in the first KiB of its first disk, where a file
 * system begins only behind: whoever starts the machine, here or in the practice Azure, answers from these bytes. A
 * probe that gets the right answer has therefore asked a machine whose disk carried them.
 */
import type { VCenterControls } from './controls.ts';

export interface Application {
  readonly name: string;
  /** Ports that accept a connection, say the name and end it. */
  readonly tcp?: readonly number[];
  readonly http?: readonly ApplicationPages[];
  /** Azure's agent runs in it: it knows `echo`, `sleep` and `exit`. */
  readonly agent?: boolean;
}

export interface ApplicationPages {
  readonly port: number;
  /** Body of each path; any other one answers 404. A body that is a number alone is a status without a body. */
  readonly pages: Readonly<Record<string, string>>;
}

export const APPLICATION_BYTES = 1_024;
const MAGIC = 'SWITCHBACK PRACTICE APPLICATION\n';

/** @throws Error when it has no room in front of a file system */
export function encodeApplication(application: Application): Buffer {
  const text = Buffer.from(MAGIC + JSON.stringify(application));
  if (text.length >= APPLICATION_BYTES) {
    throw new Error(`an application has at most ${APPLICATION_BYTES} bytes, not ${text.length}`);
  }
  return Buffer.concat([text], APPLICATION_BYTES);
}

/** Null: the disk carries none. */
export function decodeApplication(bytes: Buffer): Application | null {
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  if (!text.startsWith(MAGIC)) return null;
  try {
    return JSON.parse(text.slice(MAGIC.length)) as Application;
  } catch {
    return null;
  }
}

/** Installs it on a practice machine that runs, as its guest does: replication carries it from there. */
export async function installApplication(
  controls: Pick<VCenterControls, 'machine' | 'writeBytes'>,
  machine: string,
  application: Application,
): Promise<void> {
  const [disk] = (await controls.machine(machine)).disks;
  if (disk === undefined) throw new Error(`${machine} has no disk`);
  const { deviceKey } = disk;
  await controls.writeBytes({ machine, deviceKey, offset: 0, bytes: encodeApplication(application) });
}
