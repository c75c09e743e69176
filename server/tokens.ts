/** Bearer tokens: `sb_<id>_<secret>`. The catalogue holds hashes only; the administrator's lies in a file. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../domain/errors.ts';
import type { Catalogue, TokenRecord } from './catalogue/catalogue.ts';
import { withoutCatalogue } from './catalogue/open.ts';

export interface Tokens {
  /** Who presents this token; null when it is not valid. */
  principalOf(token: string): Promise<string | null>;
}

/** Tokens that are remembered for a time without the catalogue. */
const SEEN_MAX = 1_000;

export const ADMINISTRATOR_TOKEN_FILE = 'administrator.token';

/**
 * The administrator's token is the one in `<dataDir>/administrator.token` (mode 0600), made where it is missing.
 * One that the catalogue does not know yet is taken into it and revokes the earlier ones: removing the file and
 * starting again rotates the token, and a crash in between loses no access.
 * @throws DR_CONFIG_INVALID when the file holds anything but a token.
 */
export async function openTokens(options: {
  readonly catalogue: Pick<Catalogue, 'replaceTokens' | 'token'>;
  readonly dataDir: string;
}): Promise<Tokens> {
  const { catalogue, dataDir } = options;
  const { id, secret } = await administratorToken(dataDir);
  const fresh = { id, sha256: sha256(secret), principal: 'administrator' };
  const known = await catalogue.token(id);
  if (known === undefined) await catalogue.replaceTokens(fresh);
  // While the catalogue is away nobody can revoke a token either: what was seen before still counts.
  const seen = new Map<string, TokenRecord>([[id, known ?? { ...fresh, isRevoked: false }]]);
  const recordOf = async (tokenId: string) => {
    const record = await withoutCatalogue(catalogue.token(tokenId), seen.get(tokenId));
    if (record !== undefined && seen.size < SEEN_MAX) seen.set(tokenId, record);
    return record;
  };
  return {
    async principalOf(token) {
      const parts = split(token);
      if (parts === undefined) return null;
      const known = await recordOf(parts.id);
      const matches = equal(sha256(parts.secret), known?.sha256 ?? sha256(''));
      return known !== undefined && matches && !known.isRevoked ? known.principal : null;
    },
  };
}

async function administratorToken(dataDir: string): Promise<TokenParts> {
  const file = join(dataDir, ADMINISTRATOR_TOKEN_FILE);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const text = (await textOf(file)) ?? (await makeToken(file));
  const parts = split(text.trim());
  if (parts !== undefined) return parts;
  const problems = `${file} holds no token: restore it, or remove it to have a new one made and earlier ones revoked`;
  throw new DrError('DR_CONFIG_INVALID', { problems });
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Linked into place: complete or absent. Of several processes the first one's token stays. */
async function makeToken(file: string): Promise<string> {
  const fresh = `sb_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, `${fresh}\n`, { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, file);
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readFile(file, 'utf8');
  } finally {
    await rm(draft, { force: true });
  }
}

interface TokenParts {
  readonly id: string;
  readonly secret: string;
}

function split(token: string): TokenParts | undefined {
  const [, id, secret] = /^sb_([0-9a-f]{12})_([\w-]{43})$/.exec(token) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function equal(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
