/** Secrets of steps: one file each, in a folder of the process that uses them. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { Secret, type StepSecrets } from '../../domain/ports.ts';

/** As names of secrets are written in plans. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
const BYTES_MAX = 64 * 1024;
const READ_BY_OTHERS = 0o077;

/**
 * Reads a file each time it is asked, so that a changed secret holds from the next step on. A file that others may
 * read is refused; a line end after the value does not belong to it.
 */
export function createSecretsFolder(folder: string): StepSecrets {
  return {
    async secret(name) {
      const file = join(folder, NAME.test(name) ? name : 'NAME');
      const unknown = (reason: string, cause?: unknown) =>
        new DrError('DR_SECRET_UNKNOWN', { secret: name, reason, file }, { cause });
      if (!NAME.test(name)) throw unknown('a name is 1-40 lower-case letters, digits, hyphens');
      const content = await read(file).catch((cause: NodeJS.ErrnoException) => {
        throw unknown(cause.code === 'ENOENT' ? 'its file does not exist' : reasonOf(cause), cause);
      });
      if (typeof content !== 'string') throw unknown(content.refused);
      return new Secret(content);
    },
  };
}

/** Mode and owner are those of the file that is read, whatever its name points to meanwhile. */
async function read(file: string): Promise<string | { readonly refused: string }> {
  const handle = await open(file, 'r');
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) return { refused: 'it is no file' };
    const mode = (facts.mode & 0o777).toString(8).padStart(4, '0');
    if ((facts.mode & READ_BY_OTHERS) !== 0) return { refused: `others may read its file (mode ${mode})` };
    if (facts.size > BYTES_MAX) return { refused: `its file has more than ${BYTES_MAX} bytes` };
    const text = (await handle.readFile('utf8')).replace(/\r?\n$/, '');
    return text === '' ? { refused: 'its file is empty' } : text;
  } finally {
    await handle.close();
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return `its file cannot be read (${code ?? message})`;
}
