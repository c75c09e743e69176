import { verb, type Cli } from '../../cli.ts';
import { setOption } from '../../options.ts';
import { startRole } from '../../start-role.ts';

export function processServerStart(cli: Cli) {
  return verb(
    'start',
    'Run a process server on this machine until stopped',
    'process-server start --temporary --config /etc/switchback/in-azure.yaml',
  )
    .requiredOption('--config <file>', 'YAML file, see docs/configuration.md')
    .addOption(setOption())
    .option(
      '--temporary',
      'in Azure, while machines come home: reads Azure disks, and needs no access to a vCenter',
      false,
    )
    .action(({ temporary, ...options }) =>
      temporary
        ? startRole(
            cli,
            options,
            'temporary-process-server',
            async () => (await import('../../../workers/temporary-process-server.ts')).temporaryProcessServer,
          )
        : startRole(
            cli,
            options,
            'process-server',
            async () => (await import('../../../workers/process-server.ts')).processServer,
          ),
    );
}
