import { verb, type Cli } from '../../cli.ts';
import { keyOption } from '../../options.ts';
import { evidencePage } from '../../render/evidence.ts';
import { verdictOf, verified } from './evidence-file.ts';

export function evidenceShow(cli: Cli) {
  return verb(
    'show',
    'Show what a bundle says, after it was verified; what was altered is not shown. With --output json the record itself',
    'evidence show shop.html --key evidence.key.pub.pem',
  )
    .argument('<file>', 'the bundle, as it was fetched')
    .addOption(keyOption())
    .action(async (file, { key: keyFiles }) => {
      const found = verified(file, await verdictOf(file, keyFiles));
      if (cli.output === 'json') cli.show(found.record, () => '');
      else cli.line(evidencePage(file, found));
    });
}
