import { verb, type Cli } from '../../cli.ts';
import { EXIT_KEY_NOT_COMPARED } from '../../exits.ts';
import { keyOption } from '../../options.ts';
import { verdictLines } from '../../render/evidence.ts';
import { verdictOf, verified } from './evidence-file.ts';

export function evidenceVerify(cli: Cli) {
  return verb(
    'verify',
    'Check a bundle without a server: every entry, the signature, every byte of the page. Names the first thing that was altered. Ends with 7 when something was, with 5 when another key signed it, with 11 when it is whole but no key was given to compare with',
    'evidence verify shop.html --key evidence.key.pub.pem',
  )
    .argument('<file>', 'the bundle, as it was fetched')
    .addOption(keyOption())
    .action(async (file, { key: keyFiles }) => {
      const verdict = await verdictOf(file, keyFiles);
      if (cli.output === 'json') {
        const told = verdict.verdict === 'verified' ? { ...verdict, record: undefined } : verdict;
        cli.show({ file, ...told }, () => '');
      }
      const found = verified(file, verdict);
      if (cli.output === 'text') cli.line(verdictLines(file, found));
      if (!found.isKeyTrusted) cli.exitCode = EXIT_KEY_NOT_COMPARED;
    });
}
