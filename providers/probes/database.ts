/** What the probes of databases have in common. */
import type { Secret } from '../../domain/ports.ts';
import { oneLine } from '../steps/redact.ts';
import type { Look } from './look.ts';

export interface DatabaseTarget {
  readonly address: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret;
  readonly query: string;
  /** First column of the first row, as text. */
  readonly answer: string;
}

const SHOWN_LENGTH_MAX = 200;

/** Undefined: no row came; null: SQL's. */
export function judged(
  { answer }: DatabaseTarget,
  value: string | null | undefined,
  facts: { readonly ms: number; readonly isEncrypted: boolean },
): Look {
  const holds = value === answer;
  const shown =
    value === undefined ? 'no row' : value === null ? 'NULL' : `"${oneLine(value, SHOWN_LENGTH_MAX)}"`;
  return {
    holds,
    saw: holds
      ? `${shown} in ${facts.ms} ms`
      : `the query answered ${shown}, not "${oneLine(answer, SHOWN_LENGTH_MAX)}"`,
    observed: { ...facts, answered: oneLine(shown, SHOWN_LENGTH_MAX) },
  };
}
