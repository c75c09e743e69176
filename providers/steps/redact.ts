/** What leaves a step holds none of its secrets. */
const MASK = '•••';
/** A line of a secret that is shorter would tear holes into text that has nothing to do with it. */
const LINE_LENGTH_MIN = 8;

/** Every text that must not be seen, longest first: a secret of several lines is printed line by line. */
export function needlesOf(secrets: readonly string[]): string[] {
  const lines = secrets.flatMap((secret) =>
    secret.split(/\r?\n/).filter((line) => line.length >= LINE_LENGTH_MIN),
  );
  return [...new Set([...secrets, ...lines])]
    .filter((needle) => needle !== '')
    .sort((a, b) => b.length - a.length);
}

export function redact(text: string, secrets: readonly string[]): string {
  return needlesOf(secrets).reduce((rest, needle) => rest.replaceAll(needle, MASK), text);
}

/** One line without control characters, at most `lengthMax` long. */
export function oneLine(text: string, lengthMax: number): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1)}…`;
}
