/** A tool the user names with a variable goes before all others. */
import { DrError } from '../../domain/errors.ts';
import { isExecutable } from './run.ts';

/** @throws DR_TOOL_MISSING when the variable names something that cannot be run. */
export function namedTool(tool: string, variable: string): string | undefined {
  const path = process.env[variable];
  if (path === undefined || path === '') return undefined;
  if (isExecutable(path)) return path;
  throw new DrError('DR_TOOL_MISSING', {
    tool,
    reason: `${variable} names ${path}, which is not an executable file; run: unset ${variable}`,
  });
}
