/** Exit codes that no error of the catalogue has; docs/cli.md lists all. */
export const EXIT_USAGE = 2;
/** `--until-input`: the job waits for an operator. */
export const EXIT_WAITS = 9;
/** The watched job was cancelled, and nothing was wrong. */
export const EXIT_CANCELLED = 10;
/** `plan diff`: applying the document would change what the plan does. */
export const EXIT_DIFFERS = 11;
/** `evidence verify`: the bundle is whole, but its key was compared with no trusted one. */
export const EXIT_KEY_NOT_COMPARED = 12;
/** 128 + SIGINT, as shells count it. */
export const EXIT_DETACHED = 130;
