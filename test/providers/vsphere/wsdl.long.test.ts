import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { repositoryRoot } from '../../../lab/tools/cache.ts';

test('the checked-in WSDL is what scripts/wsdl generates, byte for byte', async () => {
  const generated = await promisify(execFile)('go', ['run', '.'], {
    cwd: join(repositoryRoot, 'scripts/wsdl'),
    maxBuffer: 16 * 1024 * 1024,
  });
  const checkedIn = await readFile(join(repositoryRoot, 'providers/vsphere/wsdl/vim.wsdl'), 'utf8');
  expect(generated.stdout).toBe(checkedIn);
});
