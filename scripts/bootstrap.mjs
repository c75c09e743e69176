/**
 * What every npm script starts with: makes a fresh clone runnable, then runs the given TypeScript file.
 * Plain JavaScript for any Node >= 20.3, without dependencies, because it runs before there are any.
 *
 *   node scripts/bootstrap.mjs scripts/demo.ts --keep
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const nodePackage = join(root, 'node_modules/node');
const runtime = join(nodePackage, 'bin/node');

const required = [
  { tool: 'npm', args: ['--version'], get: 'it comes with Node.js: https://nodejs.org' },
  { tool: 'go', args: ['version'], get: 'Go 1.26 or newer builds the practice vCenter: https://go.dev/dl' },
];

const [script, ...scriptArguments] = process.argv.slice(2);

checkMachine();
if (!dependenciesMatchLock()) installDependencies();
if (!runtimeWorks()) installRuntime();
runScript();

function checkMachine() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 3)) {
    stop(
      `Node.js ${process.versions.node} is too old: Switchback starts with 20.3 or newer (https://nodejs.org)`,
    );
  }
  if (script === undefined) stop('usage: node scripts/bootstrap.mjs <script.ts> [arguments]');
  const missing = required.filter(
    ({ tool, args }) => spawnSync(tool, args, { stdio: 'ignore' }).status !== 0,
  );
  if (missing.length > 0) {
    stop(missing.map(({ tool, get }) => `${tool} was not found on PATH (${get})`).join('\n'));
  }
}

/** npm keeps in node_modules/.package-lock.json what it has installed, and writes it last. */
function dependenciesMatchLock() {
  const installedLock = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional === true || installed[path]?.version === entry.version,
  );
}

function installDependencies() {
  timed('npm ci: the packages of package-lock.json', () =>
    spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  );
}

function runtimeWorks() {
  return existsSync(runtime) && spawnSync(runtime, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** npm may be told not to run install scripts (`ignore-scripts`); the `node` package fetches its binary in one. */
function installRuntime() {
  const environment = { ...process.env };
  // npm run sets these for the project's folder; the installer must stay in the package's own.
  for (const name of ['npm_config_local_prefix', 'npm_config_prefix']) delete environment[name];
  timed('Node.js for this project (its install script did not run)', () =>
    spawnSync(process.execPath, ['installArchSpecificPackage.js'], {
      cwd: nodePackage,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  );
  if (!runtimeWorks()) {
    stop(
      'node_modules/node/bin/node does not run. Allow install scripts and repeat: npm ci --ignore-scripts=false',
    );
  }
}

function runScript() {
  const child = spawn(runtime, [join(root, script), ...scriptArguments], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`${runtime} does not start: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  });
}

function timed(what, run) {
  process.stdout.write(`· ${what} …\n`);
  const started = Date.now();
  const result = run();
  if (result.status !== 0) stop(`${what} failed${result.error ? `: ${result.error.message}` : ''}`);
  process.stdout.write(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
