/** What README, docs/ and examples/ tell people to type is typed. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CommanderError, type Command } from '@commander-js/extra-typings';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createProgram } from '../../cli/main.ts';
import { asId } from '../../domain/ids.ts';
import { operatorOf, runCli } from '../cli/run.ts';
import {
  machineUuid,
  sampleItem,
  sampleJob,
  sampleMachine,
  samplePoint,
  sampleSpec,
} from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import {
  fencedCommands,
  fences,
  inlineCommands,
  pages,
  wordsOf,
  type DocCommand,
} from './support/doc-commands.ts';
import { elsewhere } from './support/elsewhere.ts';
import { groundStory } from './support/ground-story.ts';
import { serverStory, serverValues, type ServerValue } from './support/server-story.ts';

const where = ({ file, line, text }: DocCommand) => `${file}:${line}: ${text}`;
const isOurs = ({ text }: Pick<DocCommand, 'text'>) => /^(?:npx )?switchback /.test(text);

test('every fence says what it holds: what is typed stands in shell fences or behind a prompt', () => {
  const unsaid = pages()
    .flatMap(fences)
    .filter(({ language }) => language === '');
  expect(unsaid.map(({ file, line }) => `${file}:${line}`)).toEqual([]);
});

// ------------------------------------------------------------ the command line takes it

/** A reader's own value, whatever its form. */
const placeholders: readonly (readonly [RegExp, string])[] = [
  [
    /^\/subscriptions\/.*$/,
    '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/d',
  ],
  [/^…$/, 'latest'],
  [/^<.*>$|^\*.*\*$/, 'name'],
];

/** Null: it is taken; otherwise what is wrong with it. */
async function problemOf({ text }: DocCommand): Promise<CommanderError | null> {
  const { program } = createProgram({
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
    watchEveryMs: 0,
    interruptible: () => ({ signal: new AbortController().signal, release: () => undefined }),
  });
  for (const leaf of leavesOf(program)) leaf.action(() => undefined);
  const words = wordsOf(text.replace(/^npx /, '')).slice(1);
  const filled = words.map((word) =>
    placeholders.reduce((value, [form, own]) => value.replace(form, own), word),
  );
  try {
    await program.parseAsync(filled, { from: 'user' });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error;
    throw error;
  }
}

function leavesOf(command: Command): Command[] {
  const { commands } = command;
  return commands.length === 0 ? [command] : commands.flatMap((inner) => leavesOf(inner as Command));
}

/** In prose a command may stand without what it is about. */
const LEFT_OUT = [
  'commander.missingArgument',
  'commander.missingMandatoryOptionValue',
  'commander.help',
  'commander.optionMissingArgument',
];
/** Labels that keys are derived by are no commands; some stand for all. */
const KEY_LABELS = 'docs/wire-format.md';
const ANY = ['switchback …', 'switchback <noun> <verb>'];

test('every command line of the docs is one that the program takes', async () => {
  const problems: string[] = [];
  for (const command of fencedCommands().filter(isOurs)) {
    const problem = await problemOf(command);
    if (problem !== null) problems.push(`${where(command)}: ${problem.message}`);
  }
  for (const command of inlineCommands().filter(isOurs)) {
    if (command.file === KEY_LABELS || ANY.includes(command.text)) continue;
    const problem = await problemOf(command);
    if (problem !== null && !LEFT_OUT.includes(problem.code)) {
      problems.push(`${where(command)}: ${problem.message}`);
    }
  }
  expect(problems).toEqual([]);
});

test('every npm script and every file that the docs let people run is there', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const missing = [...fencedCommands(), ...inlineCommands()].filter(({ text }) => {
    const [, script] = /^(?:sudo )?npm (?:run )?([\w:]+)/.exec(text) ?? [];
    const [, file] = /^(?:node|sh) (\S+)/.exec(text) ?? [];
    const isNpms = script === undefined || ['ci', 'link'].includes(script) || script in scripts;
    return !isNpms || (file !== undefined && !existsSync(file));
  });
  expect(missing.map(where)).toEqual([]);
});

// ------------------------------------------------------------ and something runs it

test('every command of the docs is run by a story, by another test, or says why not', () => {
  const known = new Set([
    ...serverStory.map(({ line }) => line),
    ...groundStory.map(({ line }) => line),
    ...Object.keys(elsewhere),
  ]);
  const told = fencedCommands();
  expect(told.filter(({ text }) => !known.has(text)).map(where)).toEqual([]);
  const typed = new Set(told.map(({ text }) => text));
  expect([...known].filter((line) => !typed.has(line))).toEqual([]);
});

test('what is said to run a command elsewhere is there', () => {
  const files = Object.values(elsewhere).flatMap((each) => ('by' in each ? [each.by] : []));
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

let server: RunningServer;
let folder: string;
let values: Readonly<Record<ServerValue, string>>;
const SHOP = ['shop-db-01', 'shop-app-01', 'shop-web-01'];
const MOMENT = '2026-11-21T19:30:00Z';

beforeAll(async () => {
  server = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'switchback-docs-'));
  values = Object.fromEntries(
    serverValues.map((name) => [name, name === 'moment' ? MOMENT : join(folder, name)]),
  ) as Record<ServerValue, string>;
  await writeFile(values.passwordFile, 'practice\n', { mode: 0o600 });
  await copyFile('examples/evidence/shop-drill.html', values.bundle);
  await copyFile('examples/evidence/key.pub.pem', values.bundleKey);
  await copyFile('config/examples/appliance.yaml', values.configuration);
  await writePlans();
  await recordShop();
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** An earlier version of the shop is applied already; another one lies in a file. */
async function writePlans(): Promise<void> {
  const text = await readFile('examples/plans/shop.yaml', 'utf8');
  const earlier = join(folder, 'earlier.yaml');
  await writeFile(earlier, text.replace('    after: database\n', ''));
  await writeFile(
    values.changedPlan,
    text.replace(
      '  - name: web\n',
      '  - name: cache\n    members: [{ machine: redis-01 }]\n\n  - name: web\n',
    ),
  );
  await runCli(['plan', 'apply', earlier], { env: operatorOf(server) });
}

/** Three protected machines with a recovery point each, one that failed, and one that discovery finds. */
async function recordShop(): Promise<void> {
  for (const [index, machineName] of [...SHOP, 'web-01'].entries()) {
    const spec = sampleSpec(index + 1, { machineName });
    const state = machineName === 'web-01' ? 'disabling' : 'protected';
    const item = sampleItem(index + 1, { machineName, spec, state });
    await server.catalogue.recordItem(item);
    server.runbooks.views.set(machineUuid(index + 1), item);
    server.points.push({ ...samplePoint(1), itemId: item.itemId });
  }
  await server.catalogue.recordJob(
    sampleJob('failed', { kind: 'failover', state: 'failed', itemId: asId(machineUuid(SHOP.length + 1)) }),
  );
  server.runbooks.onAccepted = (id) =>
    server.catalogue.recordJob(
      sampleJob(id, { kind: 'purge', state: 'succeeded', endedAt: MOMENT, tasks: [] }),
    );
  server.runbooks.onDiscover = async (vcenterId) => {
    await server.catalogue.recordMachines(vcenterId, [sampleMachine(9, { name: 'web-01' })], {
      generation: 'a',
      complete: true,
    });
    return 1;
  };
}

test('what needs only a configuration server is answered by one, in the order of a story', async () => {
  for (const { line, fill = {}, isConfirmed, exit = 0, prints } of serverStory) {
    const typed = wordsOf(line)
      .slice(1)
      .map((word) => (fill[word] === undefined ? word : values[fill[word]]));
    const asked = isConfirmed === true ? [...typed, '--yes'] : typed;
    const ran = await runCli(asked, { env: operatorOf(server) });
    const told = ran.exit === exit ? '' : `${ran.stdout}${ran.stderr}`;
    expect({ line, exit: ran.exit, told }).toEqual({ line, exit, told: '' });
    expect(`${line}\n${ran.stdout}`).toContain(prints);
  }
});
