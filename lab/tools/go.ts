/** Builds with the Go toolchain of the machine. */
import { DrError } from '../../domain/errors.ts';
import { run } from './run.ts';

export interface GoBuild {
  readonly tool: string;
  /** Folder of the module. */
  readonly folder: string;
  readonly package: string;
  readonly output: string;
}

/** @throws DR_TOOL_MISSING with the command to repeat by hand */
export async function goBuild({ tool, folder, package: goPackage, output }: GoBuild): Promise<string> {
  const args = ['build', '-C', folder, '-trimpath', '-buildvcs=false', '-o', output, goPackage];
  const result = await run('go', args);
  if (result.ok) return output;
  throw new DrError('DR_TOOL_MISSING', {
    tool,
    reason: `it could not be built (${result.tail}); run: go build -C ${folder} -o /dev/null ${goPackage}`,
  });
}
