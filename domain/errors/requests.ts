/** Requests, their fields and the configuration. */
import { entry, type ErrorEntry } from './entry.ts';

export const requestErrors = {
  DR_REQUEST_INVALID: entry(
    'fail',
    400,
    2,
    'The request is not valid: {problems}',
    'Correct the fields named in the message and send the request again.',
  ),
  DR_ROUTE_UNKNOWN: entry(
    'fail',
    404,
    2,
    'There is no route {method} {path}',
    'Compare the versions of client and configuration server; api/openapi.json lists all routes.',
  ),
  DR_REQUEST_UNAUTHENTICATED: entry(
    'fail',
    401,
    5,
    'The request carries no valid bearer token',
    'Pass the token with --token-file or SWITCHBACK_TOKEN_FILE; the first one is in administrator.token in the data directory of the configuration server.',
  ),
  DR_CONFIG_INVALID: entry(
    'fail',
    500,
    2,
    'The configuration is not valid: {problems}',
    'Correct every setting named in the message; `switchback config validate` checks without starting.',
  ),
  DR_PLAN_INVALID: entry(
    'fail',
    422,
    2,
    'The recovery plan {file} is not valid:\n{problems}',
    'Correct each line that is named, then check again with `switchback plan validate`; docs/recovery-plans.md describes the fields.',
  ),
  DR_PLAN_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no recovery plan "{plan}"',
    'List plans with `switchback plan list`, or store one with `switchback plan apply`.',
  ),
  DR_PLAN_VERSION_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Recovery plan "{plan}" has no version {version}',
    'List its versions with `switchback plan history {plan}`.',
  ),
  DR_POLICY_OUT_OF_RANGE: entry(
    'fail',
    400,
    2,
    'Policy value {field} is {value}; allowed is {allowed}',
    'Choose a value inside the range.',
  ),
  DR_POLICY_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no replication policy "{policy}"',
    'List policies with `switchback policy list`, or create one with `switchback policy create`.',
  ),
  DR_NAME_TAKEN: entry(
    'fail',
    409,
    4,
    'The {kind} "{name}" exists already',
    'Choose another name, or use the existing one.',
  ),
  DR_INTERNAL: entry(
    'retry',
    500,
    1,
    'Unexpected failure: {reason}',
    'Look up the request id in the log of the configuration server; repeat the request, it is safe to.',
  ),
} as const satisfies Record<string, ErrorEntry>;
