import { loadConfig } from '../../../config/load.ts';
import { verb, type Cli } from '../../cli.ts';
import { setOption } from '../../options.ts';

export function configValidate(cli: Cli) {
  return verb(
    'validate',
    'Check a configuration without starting anything, and show it with its defaults; secrets stay hidden',
    'config validate --config /etc/switchback/appliance.yaml',
  )
    .option('--config <file>', 'YAML file')
    .addOption(setOption())
    .action(async ({ config: file, set }) => {
      const config = await loadConfig({ ...(file && { file }), env: cli.io.env, flags: set });
      cli.show(config, () => 'The configuration is valid.');
    });
}
