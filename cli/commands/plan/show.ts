import { InvalidArgumentError } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { verifiedText } from '../../render/readiness.ts';
import { moment } from '../../render/text.ts';

export function planShow(cli: Cli) {
  return verb(
    'show',
    'Show the text of a recovery plan as it was applied, below its version',
    'plan show shop --version 2',
  )
    .argument('<plan>', 'name of the plan')
    .option('--version <number>', 'absent: the newest', versionOption)
    .action(async (name, { version }) => {
      const query = version === undefined ? {} : { version };
      const plan = await cli.call(contract.getPlan, { params: { name }, query });
      cli.show(plan, ({ version: shown, sha256, author, appliedAt, text, verified, notVerified }) =>
        [
          `# Plan "${name}", version ${shown}, applied ${moment(appliedAt)} by ${author}`,
          `# sha256: ${sha256}`,
          ...(verified === undefined ? [] : [`# ${verifiedText({ verified, notVerified })}`]),
          text.replace(/\n$/, ''),
        ].join('\n'),
      );
    });
}

function versionOption(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new InvalidArgumentError('Write the number of a version, such as 2.');
  return Number(given);
}
