/** Reads the configuration: flags before environment before file before defaults; every problem is told at once. */
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { DrError } from '../domain/errors.ts';
import { Secret } from '../domain/ports.ts';
import { complete, settingsSchema, type Config } from './schema.ts';
import { settings } from './settings.ts';

export type { Config } from './schema.ts';

export interface ConfigSources {
  /** YAML file; absent: environment, flags and defaults only. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By path of the setting: `{ 'api.port': '9443' }`. */
  readonly flags: Readonly<Record<string, string>>;
}

interface Tree {
  [key: string]: unknown;
}

/** @throws DR_CONFIG_INVALID with every problem, each with the path of the setting and what to do. */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const problems: string[] = [];
  const tree = await readTree(sources.file, problems);
  overlay(tree, fromEnvironment(sources.env, problems));
  overlay(tree, fromFlags(sources.flags, problems));
  await resolveCatalogueUrl(tree, problems);
  openRequiredSections(tree);
  const parsed = settingsSchema.safeParse(tree);
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap(describe));
  if (problems.length > 0 || !parsed.success) throw invalid(problems);
  return complete(parsed.data);
}

async function readTree(file: string | undefined, problems: string[]): Promise<Tree> {
  if (file === undefined) return {};
  try {
    const content: unknown = parseYaml(await readFile(file, 'utf8'));
    if (content === null) return {};
    if (isTree(content)) return content;
    problems.push(`${file}: must be a YAML mapping of settings`);
  } catch (error) {
    problems.push(`${file}: cannot be read: ${(error as Error).message.split('\n')[0]}`);
  }
  return {};
}

type Overlay = readonly (readonly [path: string, value: string])[];

/** Variables that begin like a section of the configuration but name no setting are typing errors, and told. */
function fromEnvironment(env: ConfigSources['env'], problems: string[]): Overlay {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const sections = new Set(settings.filter((s) => s.path.includes('.')).map((s) => sectionOf(s.variable)));
  const byVariable = new Map(settings.map((s) => [s.variable, s.path]));
  const known: [string, string][] = [];
  for (const [variable, value] of given) {
    const path = byVariable.get(variable);
    if (path !== undefined) known.push([path, value]);
    else if ([...sections].some((section) => variable.startsWith(section))) {
      problems.push(`${variable}: no setting has this variable; docs/configuration.md lists all`);
    }
  }
  return known;
}

function sectionOf(variable: string): string {
  return variable.startsWith('SWITCHBACK_DISK_TRANSPORT_')
    ? 'SWITCHBACK_DISK_TRANSPORT_'
    : variable.split('_').slice(0, 2).join('_') + '_';
}

function fromFlags(flags: ConfigSources['flags'], problems: string[]): Overlay {
  const paths = new Set(settings.map((s) => s.path));
  return Object.entries(flags).filter(([path]) => {
    if (path === 'catalogue.url') {
      problems.push(
        `${path}: holds a password; use catalogue.urlFile or SWITCHBACK_CATALOGUE_URL, not a flag`,
      );
      return false;
    }
    if (!paths.has(path)) problems.push(`${path}: there is no such setting; docs/configuration.md lists all`);
    return paths.has(path);
  });
}

function overlay(tree: Tree, values: Overlay): void {
  for (const [path, value] of values) {
    const keys = path.split('.');
    const last = keys.pop() ?? path;
    const parent = open(tree, keys);
    if (isTree(parent)) parent[last] = value;
  }
}

/** A section that is missing as a whole is told setting by setting. */
function openRequiredSections(tree: Tree): void {
  for (const { path } of settings.filter((s) => s.required)) open(tree, path.split('.').slice(0, -1));
}

/** The section at `keys`, made where it is absent; something else that lies there is left for the schema to refuse. */
function open(tree: Tree, keys: readonly string[]): unknown {
  let node: unknown = tree;
  for (const key of keys) {
    if (!isTree(node)) return undefined;
    node[key] ??= {};
    node = node[key];
  }
  return node;
}

async function resolveCatalogueUrl(tree: Tree, problems: string[]): Promise<void> {
  const catalogue = tree['catalogue'];
  if (!isTree(catalogue)) return;
  const file = catalogue['urlFile'];
  if (typeof file === 'string' && catalogue['url'] === undefined) {
    const read = await readSecretFile(file).catch((error: unknown) => error as DrError);
    if (read instanceof Secret) catalogue['url'] = read.reveal();
    else problems.push(`catalogue.urlFile: ${String(read.context['problems'])}`);
  }
  const url = catalogue['url'];
  if (typeof url === 'string' && !/^postgres(?:ql)?:\/\/./.test(url)) {
    problems.push('catalogue.url: must be a postgres:// address');
  }
}

/** A secret that lies alone in a file; a line end after it does not belong to it. @throws DR_CONFIG_INVALID */
export async function readSecretFile(file: string): Promise<Secret> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    throw invalid([`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`]);
  }
  const secret = content.replace(/\r?\n$/, '');
  if (secret === '') throw invalid([`${file} is empty`]);
  return new Secret(secret);
}

type Issue = Parameters<typeof issuePath>[0] & { readonly message: string };

function describe(issue: Issue & { readonly code?: string; readonly keys?: readonly string[] }): string[] {
  const path = issuePath(issue);
  if (issue.code === 'unrecognized_keys') {
    const prefix = path === '' ? '' : `${path}.`;
    return (issue.keys ?? []).map(
      (key) => `${prefix}${key}: there is no such setting; remove it${near(prefix)}`,
    );
  }
  const setting = settings.find((s) => s.path === path || s.path === `${path}.kind`);
  const where =
    setting === undefined ? '' : ` (in the file, as ${setting.variable}, or --set ${setting.path}=…)`;
  const missing = issue.code === 'invalid_type' || issue.message.startsWith('Invalid input');
  return [`${path}: ${missing ? 'must be a mapping of settings' : issue.message}${where}`];
}

function issuePath(issue: { readonly path: readonly PropertyKey[] }): string {
  return issue.path.map(String).join('.');
}

function near(prefix: string): string {
  const names = settings
    .filter((s) => s.path.startsWith(prefix))
    .map((s) => s.path.slice(prefix.length).split('.')[0]);
  return `; here belong ${[...new Set(names)].join(', ')}`;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(problems: readonly string[]): DrError {
  return new DrError('DR_CONFIG_INVALID', { problems: problems.map((p) => `\n  ${p}`).join('') });
}
