/** `npm run generate`: writes again every file of the repository that is made from another one. */
import { readdir } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { repositoryRoot } from '../lab/tools/cache.ts';

interface Generator {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Where its output goes; absent: it writes its file itself. */
  readonly output?: string;
}

const wsdl: Generator = {
  name: 'the WSDL of the vSphere API, from govmomi',
  command: 'go',
  args: ['run', '-C', 'scripts/wsdl', '.'],
  output: 'providers/vsphere/wsdl/vim.wsdl',
};

const documents = (await readdir(join(repositoryRoot, 'scripts')))
  .filter((file) => file.endsWith('-doc.ts') || file.endsWith('-schema.ts') || file === 'openapi.ts')
  .map((file): Generator => ({ name: file, command: process.execPath, args: [join('scripts', file)] }));

for (const generator of [...documents, wsdl]) {
  console.log(`· ${generator.name}`);
  if ((await generate(generator)) !== 0) process.exitCode = 1;
}

async function generate({ command, args, output }: Generator): Promise<number | null> {
  const stdout = output === undefined ? 'inherit' : 'pipe';
  const child = spawn(command, args, { cwd: repositoryRoot, stdio: ['ignore', stdout, 'inherit'] });
  if (output !== undefined) child.stdout?.pipe(createWriteStream(join(repositoryRoot, output)));
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
