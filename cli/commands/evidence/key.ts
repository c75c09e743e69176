import { writeFile } from 'node:fs/promises';
import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';

export function evidenceKey(cli: Cli) {
  return verb(
    'key',
    'Show the public key that signs evidence now; auditors keep it, and give it to `evidence verify`',
    'evidence key --file evidence.key.pub.pem',
  )
    .option('--file <file>', 'write the key (PEM) there as well')
    .action(async ({ file }) => {
      const key = await cli.call(contract.getEvidenceKey, {});
      if (file !== undefined) {
        await writeFile(file, key.publicKeyPem).catch((error: unknown) => {
          throw invalid(
            `--file ${file} cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
            error,
          );
        });
      }
      cli.show(key, ({ keyId, publicKeyPem }) => `key id  ${keyId}\n\n${publicKeyPem.trimEnd()}`);
    });
}
