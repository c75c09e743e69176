/** What every scenario of one run shares. */
import { join } from 'node:path';
import { repositoryRoot } from '../lab/tools/cache.ts';
import type { BenchOptions } from './options.ts';
import type { TestImage } from './image.ts';
import type { Row } from './rows.ts';
import type { TlsFiles } from './servers.ts';

export const resultsFolder = join(repositoryRoot, 'bench/results');

export interface BenchRun {
  readonly options: BenchOptions;
  /** On the RAM disk; removed in the end. */
  readonly folder: string;
  /** On a real disk; removed in the end. */
  readonly diskFolder: string;
  /** The test disk as it was made; never written to. */
  readonly original: TestImage;
  /** A small one beside it, for rows that need many. */
  readonly small: TestImage;
  /** A copy of `original` on the RAM disk, which the scenarios change and restore. */
  readonly image: string;
  readonly tls: TlsFiles;
  readonly signal: AbortSignal;
  /** One line of progress. */
  tell(line: string): void;
  record(row: Row): void;
}

export interface Scenario {
  readonly name: string;
  readonly what: string;
  run(bench: BenchRun): Promise<void>;
}
