/** Exit codes that no error of the catalogue has; docs/cli.md lists all. */
export const EXIT_USAGE = 2;
/** `--until-input`: the job waits for an operator. */
export const EXIT_WAITS = 9;
/** The watched job was cancelled, and nothing was wrong. */
export const EXIT_CANCELLED = 10;
/** 128 + SIGINT, as shells count it. */
export const EXIT_DETACHED = 130;
