import { resolve } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { variableOf } from '../../config/settings.ts';
import { verb, type Cli } from '../cli.ts';
import { setOption } from '../options.ts';

export function appliance(cli: Cli) {
  return verb(
    'appliance',
    'Run configuration server, process server and recovery-site worker on this machine until stopped',
    'appliance --config /etc/switchback/appliance.yaml',
  )
    .requiredOption('--config <file>', 'YAML file, see docs/configuration.md')
    .addOption(setOption())
    .option('--single-process', 'all roles in one process, for small sites', false)
    .action(async ({ config, set, singleProcess }) => {
      const configFile = resolve(config);
      await loadConfig({ file: configFile, env: cli.io.env, flags: set });
      // Every role is a process that reads the configuration itself: flags reach it as its environment.
      for (const [path, value] of Object.entries(set)) process.env[variableOf(path)] = value;
      const { runAppliance } = await import('../../workers/appliance.ts');
      const { signal, release } = cli.io.interruptible();
      try {
        await runAppliance({ configFile, singleProcess, signal });
      } finally {
        release();
      }
    });
}
