import { z } from 'zod';
import type { Answer } from './http.ts';
import type { Fault } from './model.ts';
import type { Store } from './store.ts';

const operationError = z.object({ code: z.string(), message: z.string() });

export const faultSchema: z.ZodType<Fault> = z.strictObject({
  name: z.string().optional(),
  method: z.string().optional(),
  path: z.string().refine(isRegularExpression, 'not a regular expression'),
  status: z.number().int().min(200).max(599).optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  retryAfterSeconds: z.number().int().min(0).optional(),
  failOperation: operationError.optional(),
  stuckMs: z.number().int().min(0).max(86_400_000).optional(),
  delayMs: z.number().int().min(0).max(600_000).optional(),
  resetConnection: z.boolean().optional(),
  skip: z.number().int().min(0).default(0),
  count: z.number().int().min(1).default(1),
});

/** The first fault that matches and has nothing left to skip; those before it that match skip one request less. */
export function takeFault(store: Store, method: string, pathAndQuery: string): Fault | undefined {
  const due = store.faults.findIndex((each) => each.skip === 0 && isFor(each, method, pathAndQuery));
  const fault = store.faults[due];
  const seen = fault === undefined ? store.faults.length : due;
  const faults = store.faults.map((each, index) => {
    if (index === due) return { ...each, count: each.count - 1 };
    const isSkipped = index < seen && isFor(each, method, pathAndQuery);
    return isSkipped ? { ...each, skip: each.skip - 1 } : each;
  });
  if (faults.some((each, index) => each !== store.faults[index])) {
    store.commit([{ faults: faults.filter(({ count }) => count > 0) }]);
  }
  return fault;
}

/** The answer a fault gives in place of the real one; null: the request is carried out. */
export function faultAnswer({ status, code, message, retryAfterSeconds }: Fault): Answer | null {
  if (status === undefined) return null;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  if (status < 400) return { status, headers };
  return {
    status,
    headers,
    json: { error: { code: code ?? 'Fault', message: message ?? 'A fault of the lab.' } },
  };
}

function isFor(fault: Fault, method: string, pathAndQuery: string): boolean {
  const isMethod = fault.method === undefined || fault.method.toUpperCase() === method;
  return isMethod && new RegExp(fault.path, 'i').test(pathAndQuery);
}

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
