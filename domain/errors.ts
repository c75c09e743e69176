/**
 * The error catalogue: one entry per thing that can go wrong, with what it does to a runbook, how it is
 * answered over HTTP, which exit code the CLI ends with, and what the operator can do about it.
 * `docs/errors.md` is generated from here. Recognise an error by its code, never by `instanceof` across rooms.
 * The entries stand in `errors/`, by what they are about.
 */
import { azureErrors } from './errors/azure.ts';
import type { ErrorOutcome } from './errors/entry.ts';
import { homeErrors } from './errors/home.ts';
import { itemErrors } from './errors/items.ts';
import { machineErrors } from './errors/machines.ts';
import { orchestrationErrors } from './errors/orchestration.ts';
import { planErrors } from './errors/plans.ts';
import { replicationErrors } from './errors/replication.ts';
import { requestErrors } from './errors/requests.ts';
import { runningErrors } from './errors/running.ts';
import { vcenterErrors } from './errors/vcenter.ts';

export type { ErrorOutcome };

export const errorCatalogue = {
  ...requestErrors,
  ...vcenterErrors,
  ...machineErrors,
  ...replicationErrors,
  ...itemErrors,
  ...planErrors,
  ...azureErrors,
  ...homeErrors,
  ...runningErrors,
  ...orchestrationErrors,
} as const;

export type ErrorCode = keyof typeof errorCatalogue;
export type ErrorContext = Readonly<Record<string, string | number>>;

/** Looks up a code that came over a wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

export function errorMessage(code: ErrorCode, context: ErrorContext): string {
  return fill(errorCatalogue[code].message, context);
}

export function errorRemedy(code: ErrorCode, context: ErrorContext): string {
  return fill(errorCatalogue[code].remedy, context);
}

/** The one error class of the product. The cause stays a cause and is never pasted into the message. */
export class DrError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext, options?: ErrorOptions) {
    super(errorMessage(code, context), options);
    this.name = 'DrError';
    this.code = code;
    this.context = context;
  }

  get outcome(): ErrorOutcome {
    return errorCatalogue[this.code].outcome;
  }

  get remedy(): string {
    return errorRemedy(this.code, this.context);
  }
}

function fill(template: string, context: ErrorContext): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, key: string) => String(context[key] ?? whole));
}
