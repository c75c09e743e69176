import { verb, type Cli } from '../../cli.ts';
import { setOption } from '../../options.ts';
import { startRole } from '../../start-role.ts';

export function masterTargetStart(cli: Cli) {
  return verb(
    'start',
    'Run a master target on this machine until stopped: it writes what comes home into VMware disks',
    'master-target start --config /etc/switchback/master-target.yaml',
  )
    .requiredOption('--config <file>', 'YAML file, see docs/configuration.md')
    .addOption(setOption())
    .action((options) =>
      startRole(
        cli,
        options,
        'master-target',
        async () => (await import('../../../workers/master-target.ts')).masterTarget,
      ),
    );
}
