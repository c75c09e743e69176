/** Which programs a step may start: those in folders that the administrator of the machine has named. */
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { isAbsolute, sep } from 'node:path';

const WRITTEN_BY_OTHERS = 0o002;

export type Allowed = { readonly file: string } | { readonly reason: string; readonly remedy: string };

/** Links are followed on both sides, so that none leads out of a folder. */
export async function allowedProgram(folders: readonly string[], program: string): Promise<Allowed> {
  const allow = `Let an administrator of this worker put the program into a folder of \`steps.commandFolders\`${
    folders.length === 0 ? ', which is empty: no commands are carried out here' : ` (${folders.join(', ')})`
  }.`;
  if (!isAbsolute(program)) {
    return {
      reason: `"${program}" is no absolute path`,
      remedy: 'Name the program by its absolute path in the plan.',
    };
  }
  const file = await realpath(program).catch(() => null);
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => null)));
  const isInside =
    file !== null && real.some((folder) => folder !== null && file.startsWith(withSeparator(folder)));
  // Whether a file elsewhere exists is nobody's business.
  if (!isInside) return { reason: `${program} is in no folder that is allowed here`, remedy: allow };
  const facts = await stat(file);
  if (!facts.isFile()) return { reason: `${program} is no file`, remedy: allow };
  if ((facts.mode & WRITTEN_BY_OTHERS) !== 0) {
    return {
      reason: `everybody may change ${program}`,
      remedy: `Correct its mode: \`chmod o-w ${program}\`.`,
    };
  }
  try {
    await access(file, constants.X_OK);
  } catch {
    return {
      reason: `${program} may not be executed`,
      remedy: `Correct its mode: \`chmod u+x ${program}\`.`,
    };
  }
  return { file };
}

/** Variables by which a program would load code of somebody else's choice, or find other programs than the machine's. */
const LOADING =
  /^(?:PATH|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|NODE_OPTIONS|NODE_PATH|JAVA_TOOL_OPTIONS)$|^(?:LD_|DYLD_|BASH_FUNC_|PYTHON|PERL5|RUBY|GIT_|GCONV_|SWITCHBACK_)/i;

/** The first that a plan may not set. */
export function forbiddenVariable(names: readonly string[]): string | undefined {
  return names.find((name) => LOADING.test(name));
}

function withSeparator(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}
