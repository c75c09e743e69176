import { writeFile } from 'node:fs/promises';
import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';

export function evidenceGet(cli: Cli) {
  return verb(
    'get',
    'Fetch the evidence of a run that has ended',
    'evidence get 5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11 --file shop.html',
  )
    .argument('<job>', 'id of the run’s job')
    .option('--file <file>', 'a new file; absent: standard output')
    .action(async (id, { file }) => {
      const page = await cli.call(contract.getEvidence, { params: { id } });
      if (file === undefined) {
        cli.io.stdout.write(page);
        return;
      }
      await writeFile(file, page, { flag: 'wx' }).catch((error: unknown) => {
        throw invalid(
          `--file ${file} cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
          error,
        );
      });
      cli.show(
        { job: id, file, bytes: Buffer.byteLength(page) },
        () => `Wrote ${file}; check it with \`switchback evidence verify ${file}\`.`,
      );
    });
}
