/** What a call to Temporal failed with, in the words of the error catalogue. */
import { once } from 'node:events';
import { connect } from 'node:net';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { DrError, isErrorCode, type ErrorContext } from '../domain/errors.ts';

/** Causes that are looked through; Temporal nests three. */
const CAUSES_MAX = 8;
const PROBE_MS = 1_000;
/** CANCELLED and DEADLINE_EXCEEDED, https://grpc.io/docs/guides/status-codes/ */
const GRPC_OUT_OF_TIME = new Set<number>([1, 4]);

/** The error of the catalogue that a workflow, activity or update ended with, if it was one. */
export function catalogued(error: unknown): DrError | undefined {
  for (const failure of causes(error)) {
    if (failure instanceof DrError) return failure;
    if (failure instanceof ApplicationFailure && isErrorCode(failure.type ?? '')) {
      return drError(failure.type ?? '', failure.details?.[0], error);
    }
  }
  return undefined;
}

export function drError(code: string, context: unknown, cause?: unknown): DrError | undefined {
  if (!isErrorCode(code)) return undefined;
  return new DrError(code, isContext(context) ? context : {}, cause === undefined ? {} : { cause });
}

export function isTimeout(error: unknown): boolean {
  return causes(error).some(
    (cause) =>
      cause instanceof WorkflowUpdateRPCTimeoutOrCancelledError ||
      (isGrpcServiceError(cause) && GRPC_OUT_OF_TIME.has(cause.code)),
  );
}

export function isUnknownWorkflow(error: unknown): boolean {
  return causes(error).some((cause) => cause instanceof WorkflowNotFoundError);
}

/** Anything else that a call may end with; `silence` says why a call that timed out may have. */
export function temporalError(error: unknown, address: string, silence: string): DrError {
  const known = catalogued(error);
  if (known !== undefined) return known;
  if (isTimeout(error)) {
    return new DrError('DR_TEMPORAL_UNREACHABLE', { address, reason: silence }, { cause: error });
  }
  const service = causes(error).find((cause) => cause instanceof ServiceError || isGrpcServiceError(cause));
  if (service !== undefined) {
    return new DrError('DR_TEMPORAL_UNREACHABLE', { address, reason: service.message }, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new DrError('DR_INTERNAL', { reason }, { cause: error });
}

/** gRPC tells a refused connection and a missing worker alike, as a deadline: one look at the port tells them apart. */
export async function whySilent(address: string, timeoutMs: number): Promise<string> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = connect({ host: hostname.replaceAll(/^\[|\]$/g, ''), port: Number(port) });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(PROBE_MS) });
    return `no answer within ${timeoutMs / 1000} s; a worker for task queue "control" may be missing`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'no connection';
  } finally {
    socket.destroy();
  }
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let next = error; next instanceof Error && found.length < CAUSES_MAX; next = next.cause)
    found.push(next);
  return found;
}

function isContext(value: unknown): value is ErrorContext {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
