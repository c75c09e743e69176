/** Which configuration server to speak to: options before environment before the profile file. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createClient, type Client } from '../api/client.ts';
import { DrError } from '../domain/errors.ts';
import { Secret } from '../domain/ports.ts';

export interface ConnectionOptions {
  readonly server?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly caFile?: string | undefined;
}

const profileSchema = z.strictObject({
  server: z.string().optional(),
  tokenFile: z.string().optional(),
  caFile: z.string().optional(),
});

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws DR_REQUEST_INVALID telling everything that is missing at once */
export async function connect(options: ConnectionOptions, env: Environment): Promise<Client> {
  const profile = await readProfile(env);
  const server = options.server ?? env['SWITCHBACK_SERVER'] ?? profile.server;
  const tokenFile = options.tokenFile ?? env['SWITCHBACK_TOKEN_FILE'] ?? profile.tokenFile;
  const caFile = options.caFile ?? env['SWITCHBACK_CA_FILE'] ?? profile.caFile;
  if (server === undefined || tokenFile === undefined || caFile === undefined) {
    const missing = [
      ...(server === undefined ? ['--server'] : []),
      ...(tokenFile === undefined ? ['--token-file'] : []),
      ...(caFile === undefined ? ['--ca-file'] : []),
    ];
    throw invalid(`${missing.join(', ')} missing, and no profile in ${profileFile(env)} says otherwise`);
  }
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:') {
    throw invalid('--server must be https://host[:port]');
  }
  const [token, authorityPem] = [await read('--token-file', tokenFile), await read('--ca-file', caFile)];
  return createClient({ server: new URL(server).origin, authorityPem, token: new Secret(token.trim()) });
}

export function profileFile(env: Environment): string {
  return env['SWITCHBACK_PROFILE'] ?? join(env['HOME'] ?? homedir(), '.config/switchback/profile.json');
}

async function readProfile(env: Environment): Promise<ConnectionOptions> {
  const file = profileFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return profileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw invalid(`${file} is not a profile: {"server", "tokenFile", "caFile"} as JSON`, error);
  }
}

async function read(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw invalid(`${option} ${file} cannot be read`, error);
  }
}

export function invalid(problems: string, cause?: unknown): DrError {
  return new DrError('DR_REQUEST_INVALID', { problems }, cause === undefined ? {} : { cause });
}
