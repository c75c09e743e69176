/** `npm run check`: types, lint, format, dead exports. All four run, so that one look shows every problem. */
import { run } from './run.ts';

const checks = [
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  { name: 'lint', args: ['node_modules/oxlint/bin/oxlint', '--type-aware'] },
  { name: 'format', args: ['node_modules/oxfmt/bin/oxfmt', '--check', '.'] },
  { name: 'dead exports', args: ['node_modules/knip/bin/knip.js'] },
];

const failed: string[] = [];
for (const { name, args } of checks) {
  console.log(`· ${name}`);
  if ((await run(process.execPath, args)) !== 0) failed.push(name);
}
console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
