/** Bearer tokens: `sb_<id>_<secret>`. The catalogue holds hashes only; the first one is written once to a file. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalogue } from './catalogue/catalogue.ts';

export interface Tokens {
  /** Who presents this token; null when it is not valid. */
  principalOf(token: string): Promise<string | null>;
}

export const ADMINISTRATOR_TOKEN_FILE = 'administrator.token';

/**
 * Makes the administrator's token at the first start, in `<dataDir>/administrator.token` (mode 0600).
 * The file is written before the hash is kept and adopted when it is there: a crash in between loses no access.
 */
export async function openTokens(options: {
  readonly catalogue: Pick<Catalogue, 'hasTokens' | 'addToken' | 'token'>;
  readonly dataDir: string;
}): Promise<Tokens> {
  const { catalogue, dataDir } = options;
  if (!(await catalogue.hasTokens())) {
    const parts = split(await administratorToken(dataDir));
    if (parts !== undefined) {
      await catalogue.addToken({ id: parts.id, sha256: sha256(parts.secret), principal: 'administrator' });
    }
  }
  return {
    async principalOf(token) {
      const parts = split(token);
      if (parts === undefined) return null;
      const known = await catalogue.token(parts.id);
      const matches = equal(sha256(parts.secret), known?.sha256 ?? sha256(''));
      return known !== undefined && matches && !known.isRevoked ? known.principal : null;
    },
  };
}

async function administratorToken(dataDir: string): Promise<string> {
  const file = join(dataDir, ADMINISTRATOR_TOKEN_FILE);
  const fresh = `sb_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, `${fresh}\n`, { mode: 0o600, flag: 'wx' });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(file, 'utf8')).trim();
  }
}

function split(token: string): { id: string; secret: string } | undefined {
  const [, id, secret] = /^sb_([0-9a-f]{12})_([\w-]{43})$/.exec(token) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function equal(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
