/** One table from Azure's error codes to the error catalogue (learn.microsoft.com, "Troubleshoot common Azure deployment errors"). */
import { DrError } from '../../../domain/errors.ts';
import type { ErrorCode, ErrorContext } from '../../../domain/errors.ts';
import { failureOf } from './failure.ts';
import type { Failure } from './failure.ts';

/** What the call was about, as far as it is known; fills the messages of the catalogue. */
export interface CallFacts {
  /** A phrase: "create disk x". */
  readonly attempted: string;
  readonly location?: string;
  readonly size?: string;
  readonly subnet?: string;
  readonly address?: string | undefined;
}

type Translation = (facts: CallFacts, failure: Failure) => readonly [ErrorCode, ErrorContext];

const refused: Translation = (facts, failure) => ['DR_AZURE_REFUSED', attempt(facts, failure)];
const busy: Translation = (facts, failure) => ['DR_AZURE_BUSY', attempt(facts, failure)];
const failed: Translation = (facts, failure) => ['DR_AZURE_OPERATION_FAILED', attempt(facts, failure)];
const unreachable: Translation = (_facts, { code, message }) => [
  'DR_AZURE_UNREACHABLE',
  { reason: `${code}: ${message}` },
];
const networkUnknown: Translation = (facts, failure) =>
  facts.subnet === undefined
    ? failed(facts, failure)
    : ['DR_AZURE_NETWORK_UNKNOWN', { subnet: facts.subnet }];
const sizeUnavailable: Translation = ({ size = 'unknown', location = 'unknown' }, { code, message }) => [
  'DR_AZURE_SIZE_UNAVAILABLE',
  { size, location, reason: `${code} ${message}` },
];
const addressTaken: Translation = ({ address = 'unknown', subnet = 'unknown' }, { message }) => [
  'DR_AZURE_ADDRESS_TAKEN',
  { address, subnet, owner: ownerIn(message) },
];

/** Azure uses `OperationNotAllowed` for exhausted quotas and for much else: also while too many, or others, read a disk. */
const notAllowed: Translation = (facts, failure) => {
  if (/shared access signature|\bSAS\b/i.test(failure.message)) return busy(facts, failure);
  return /quota|limit/i.test(failure.message) ? quotaExceeded(facts, failure) : failed(facts, failure);
};

const invalidParameter: Translation = (facts, failure) =>
  facts.size !== undefined && /vm ?size/i.test(failure.message)
    ? sizeUnavailable(facts, failure)
    : failed(facts, failure);

const byCode: Readonly<Record<string, Translation>> = {
  QuotaExceeded: quotaExceeded,
  OperationNotAllowed: notAllowed,
  NetworkInterfaceCountLimitReached: interfacesExceeded,
  SkuNotAvailable: sizeUnavailable,
  AllocationFailed: sizeUnavailable,
  ZonalAllocationFailed: sizeUnavailable,
  OverconstrainedAllocationRequest: sizeUnavailable,
  OverconstrainedZonalAllocationRequest: sizeUnavailable,
  InvalidParameter: invalidParameter,
  PrivateIPAddressInUse: addressTaken,
  PrivateIPAddressIsAllocated: addressTaken,
  PrivateIPAddressInReservedRange: addressTaken,
  InvalidResourceReference: networkUnknown,
  AuthorizationFailed: refused,
  LinkedAuthorizationFailed: refused,
  RequestDisallowedByPolicy: refused,
  ScopeLocked: refused,
  AnotherOperationInProgress: busy,
  AttachDiskWhileBeingDetached: busy,
  Conflict: busy,
  NicReservedForAnotherVm: busy,
  OperationPreempted: busy,
  ResourceGroupBeingDeleted: busy,
  RetryableError: busy,
  RetryableErrorDueToAnotherOperation: busy,
};

const byStatus: Readonly<Record<number, Translation>> = {
  0: unreachable,
  401: refused,
  403: refused,
  408: unreachable,
  429: busy,
  500: unreachable,
  502: unreachable,
  503: unreachable,
  504: unreachable,
};

/** Anything thrown by the SDK, as an error of the catalogue; what is none of the SDK's comes back as it is. */
export function azureError(facts: CallFacts, error: unknown): unknown {
  if (error instanceof DrError) return error;
  const failure = failureOf(error);
  return failure === null ? error : failureError(facts, failure, error);
}

export function failureError(facts: CallFacts, failure: Failure, cause?: unknown): DrError {
  const translate = byCode[failure.code] ?? byStatus[failure.status ?? -1] ?? failed;
  return new DrError(...translate(facts, failure), { cause });
}

function attempt(facts: CallFacts, failure: Failure): ErrorContext {
  return { attempted: facts.attempted, azureCode: failure.code, reason: failure.message };
}

/** Azure's text: "… exceeding approved standardDSv5Family Cores quota. … Current Limit: 10, Current Usage: 8, Additional Required: 4 …". */
function quotaExceeded(facts: CallFacts, { message }: Failure): readonly [ErrorCode, ErrorContext] {
  const find = (pattern: RegExp) => pattern.exec(message)?.[1]?.trim();
  return [
    'DR_AZURE_QUOTA',
    {
      quota: find(/approved (.+?) quota/i) ?? message,
      location: facts.location ?? find(/Location: ([\w ]+)/i) ?? 'unknown',
      limit: find(/Current Limit: (\d+)/i) ?? 'unknown',
      used: find(/Current Usage: (\d+)/i) ?? 'unknown',
      needed: find(/Additional Required: (\d+)/i) ?? 'unknown',
    },
  ];
}

/** Azure's text: "Cannot create more than 350 network interfaces for this subscription in this region.". */
function interfacesExceeded(
  { location = 'unknown' }: CallFacts,
  { message }: Failure,
): readonly [ErrorCode, ErrorContext] {
  const limit = /more than (\d+)/i.exec(message)?.[1] ?? 'unknown';
  return ['DR_AZURE_QUOTA', { quota: 'NetworkInterfaces', location, limit, used: limit, needed: 1 }];
}

/** The last id of the message: before it Azure names the resource that was to be made. */
function ownerIn(message: string): string {
  return message.match(/\/subscriptions\/[^\s'",]+[^\s'",.]/gi)?.at(-1) ?? 'another resource';
}
