/** What the product itself stands on. */
import { entry, type ErrorEntry } from './entry.ts';

export const orchestrationErrors = {
  DR_TEMPORAL_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Temporal at {address} does not answer: {reason}',
    'Start the Temporal server; running operations go on where they were.',
  ),
  DR_CATALOGUE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'The catalogue database cannot be used: {reason}',
    'Check that PostgreSQL runs and the account of catalogue.url may connect; running operations go on without it.',
  ),
  DR_SERVER_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'The configuration server at {url} does not answer: {reason}',
    'Start it with `switchback appliance`, or pass its address with --server.',
  ),
  DR_SERVER_CERTIFICATE: entry(
    'fail',
    495,
    5,
    'The configuration server at {url} shows a certificate of another authority',
    'Pass the right authority file with --ca-file. If it was not replaced on purpose, do not continue.',
  ),
  DR_TOOL_MISSING: entry(
    'fail',
    500,
    6,
    'The tool {tool} was not found: {reason}',
    'Run the command in the message, or put the tool on PATH.',
  ),
} as const satisfies Record<string, ErrorEntry>;
