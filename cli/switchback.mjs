#!/usr/bin/env node
/** Starts the command line: hands over to the project's own Node where the running one is too old to read TypeScript. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 26;

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  const { main } = await import('./main.ts');
  await main();
} else {
  handOver(fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url)));
}

function handOver(runtime) {
  if (!existsSync(runtime)) {
    process.stderr.write(
      `Switchback needs Node.js ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}. ` +
        'Run `npm ci` in the project folder: it brings the right one.\n',
    );
    process.exit(6);
  }
  const child = spawn(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to both; the child decides what it means.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  });
}
