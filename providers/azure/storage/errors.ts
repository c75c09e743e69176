/** One table from what the storage service or the network says to the error catalogue. */
import { isRestError } from '@azure/storage-blob';
import { DrError } from '../../../domain/errors.ts';
import type { ErrorCode } from '../../../domain/errors.ts';
import { credentialFailure } from '../credential-failure.ts';
import { DeadlineError } from '../deadline.ts';

/** Service codes that need another entry than their status (learn.microsoft.com, "Blob service error codes"). */
const byServiceCode: Readonly<Record<string, ErrorCode>> = {
  AccountBeingFull: 'DR_STORAGE_FULL',
  AccountLimitExceeded: 'DR_STORAGE_FULL',
  SnapshotCountExceeded: 'DR_STORAGE_FULL',
  AccountIsDisabled: 'DR_STORAGE_REFUSED',
  AccountBeingCreated: 'DR_STORAGE_UNREACHABLE',
  SnapshotOperationRateExceeded: 'DR_STORAGE_UNREACHABLE',
  ContainerBeingDeleted: 'DR_STORAGE_UNREACHABLE',
  LeaseAlreadyPresent: 'DR_STORAGE_UNREACHABLE',
  LeaseIdMismatchWithLeaseOperation: 'DR_STORAGE_UNREACHABLE',
};

const byStatus: Readonly<Record<number, ErrorCode>> = {
  408: 'DR_STORAGE_UNREACHABLE',
  413: 'DR_STORAGE_FULL',
  429: 'DR_STORAGE_UNREACHABLE',
  500: 'DR_STORAGE_UNREACHABLE',
  502: 'DR_STORAGE_UNREACHABLE',
  503: 'DR_STORAGE_UNREACHABLE',
  504: 'DR_STORAGE_UNREACHABLE',
  507: 'DR_STORAGE_FULL',
};

/** What the service answered; `status` 0: there was no answer. */
export interface ServiceAnswer {
  readonly status: number;
  readonly serviceCode: string;
}

/** Null: not an answer of the service, nor of the network on the way to it. */
export function serviceAnswer(error: unknown): ServiceAnswer | null {
  if (!isRestError(error)) return null;
  const details = error.details as { readonly errorCode?: string } | undefined;
  return { status: error.statusCode ?? 0, serviceCode: details?.errorCode ?? error.code ?? '' };
}

export function isStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return statuses.includes(serviceAnswer(error)?.status ?? -1);
}

/** Anything thrown by the client, as an error of the catalogue. `attempted` is a phrase: "write blob x". */
export function storageError(account: string, attempted: string, error: unknown): unknown {
  if (error instanceof DrError) return error;
  if (error instanceof DeadlineError) return unreachable(account, error.message, error);
  const answer = serviceAnswer(error);
  if (answer === null) return credentialError(account, attempted, error);
  if (answer.status === 0) return unreachable(account, networkReason(error), error);
  const code = byServiceCode[answer.serviceCode] ?? byStatus[answer.status] ?? 'DR_STORAGE_REFUSED';
  const reason = `${answer.status} ${answer.serviceCode}`.trim();
  return new DrError(code, { account, attempted, reason }, { cause: error });
}

function credentialError(account: string, attempted: string, error: unknown): unknown {
  const failure = credentialFailure(error);
  if (failure === null) return error;
  if (failure.kind === 'unreachable') return unreachable(account, failure.reason, error);
  return new DrError('DR_STORAGE_REFUSED', { account, attempted, reason: failure.reason }, { cause: error });
}

function unreachable(account: string, reason: string, cause: unknown): DrError {
  return new DrError('DR_STORAGE_UNREACHABLE', { account, reason }, { cause });
}

function networkReason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') || error.name : String(error);
}
