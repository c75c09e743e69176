/** What has to be taken back, whichever way a run ends: the last one first. */
export class Undo {
  readonly #steps: { readonly what: string; readonly step: () => Promise<unknown> }[] = [];

  add(what: string, step: () => Promise<unknown>): void {
    this.#steps.push({ what, step });
  }

  /** Takes everything back that was added since `mark`; one that fails does not hold up the others. Answers what failed. */
  async all(mark = 0): Promise<string[]> {
    const failures: string[] = [];
    while (this.#steps.length > mark) {
      const { what, step } = this.#steps.pop() ?? { what: '', step: () => Promise.resolve() };
      await step().catch((error: unknown) => failures.push(`${what}: ${(error as Error).message}`));
    }
    return failures;
  }
}
