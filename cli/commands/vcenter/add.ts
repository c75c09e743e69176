import { readFile } from 'node:fs/promises';
import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { ask, askSecret, canAsk } from '../../prompt.ts';
import { facts, moment } from '../../render/text.ts';

interface Options {
  readonly url: string;
  readonly passwordFile?: string;
  readonly fingerprint?: string;
  readonly yes?: true;
}

export function vcenterAdd(cli: Cli) {
  return verb(
    'add',
    'Register a vCenter after its certificate was confirmed, and discover its machines',
    'vcenter add berlin --url https://vcenter.example.com --username dr@vsphere.local --password-file /etc/switchback/vcenter.password',
  )
    .argument('<name>', '1-40 lower-case letters, digits, hyphens')
    .requiredOption('--url <url>', 'https://host[:port]')
    .requiredOption('--username <name>', 'account with the role of docs/vcenter-role.md')
    .option('--password-file <file>', 'absent: SWITCHBACK_VCENTER_PASSWORD, else asked for')
    .option('--fingerprint <sha256>', 'SHA-256 of the certificate, already known to be right')
    .option('--yes', 'trust the certificate that is shown now')
    .action(async (name, options) => {
      const certificateSha256 = await confirmedFingerprint(cli, options);
      const password = await passwordOf(cli, options);
      const { url, username } = options;
      const body = { name, url, username, password, certificateSha256 };
      const added = await cli.call(contract.addVCenter, { body });
      cli.show(added, (vcenter) =>
        vcenter.discoveryProblem === undefined
          ? `Added ${vcenter.name}: ${vcenter.machineCount} machines, vCenter ${vcenter.version ?? ''}`.trimEnd()
          : `Added ${vcenter.name}; its machines are not known yet: ${vcenter.discoveryProblem.message}`,
      );
    });
}

/** On first contact a person compares the fingerprint with what vCenter's own page shows. */
async function confirmedFingerprint(cli: Cli, options: Options): Promise<string> {
  if (options.fingerprint !== undefined) return options.fingerprint.toUpperCase();
  if (options.yes !== true && !canAsk(cli.io)) {
    throw invalid('nobody can be asked to compare the certificate: pass --fingerprint or --yes');
  }
  const shown = await cli.call(contract.probeVCenter, { body: { url: options.url } });
  if (options.yes === true) return shown.sha256;
  cli.io.stderr.write(
    `${facts([
      ['Certificate of', options.url],
      ['Subject', shown.subject],
      ['Valid until', moment(shown.notAfter)],
      ['SHA-256', shown.sha256],
    ])}\n`,
  );
  const answer = await ask(cli.io, 'Is this the certificate of your vCenter? [y/N] ');
  if (!/^y(?:es)?$/i.test(answer)) throw invalid('the certificate was not confirmed');
  return shown.sha256;
}

async function passwordOf(cli: Cli, options: Options): Promise<string> {
  if (options.passwordFile !== undefined) {
    const text = await readFile(options.passwordFile, 'utf8').catch((error: unknown) => {
      throw invalid(`--password-file ${options.passwordFile} cannot be read`, error);
    });
    return text.replace(/\r?\n$/, '');
  }
  const given = cli.io.env['SWITCHBACK_VCENTER_PASSWORD'];
  if (given !== undefined) return given;
  if (!canAsk(cli.io)) throw invalid('--password-file or SWITCHBACK_VCENTER_PASSWORD missing');
  return askSecret(cli.io, 'Password: ');
}
