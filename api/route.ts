/** What a route of the contract is. Server, client and OpenAPI document all follow from these objects. */
import type { z } from 'zod';

/** Kinds of answers that are text, with their media types. */
export const textAnswers = { html: 'text/html', metrics: 'text/plain' } as const;

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  /** Needs no bearer token. */
  readonly open?: true;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Longest body; absent: 256 KiB. */
  readonly bodyBytesMax?: number;
  readonly status: 200 | 201 | 202;
  /** The answer is a page or metrics for Prometheus, `response` its text; absent: JSON. */
  readonly answers?: keyof typeof textAnswers;
  readonly response: z.ZodType;
}

type Part<
  R extends Route,
  K extends 'params' | 'query' | 'body',
  Side extends 'in' | 'out',
> = R[K] extends z.ZodType ? { [P in K]: Side extends 'in' ? z.input<R[K]> : z.output<R[K]> } : unknown;

type Parts<R extends Route, Side extends 'in' | 'out'> = Part<R, 'params', Side> &
  Part<R, 'query', Side> &
  Part<R, 'body', Side>;

/** What a client passes. */
export type RouteInput<R extends Route> = Parts<R, 'in'>;
/** What a handler gets, checked and with defaults filled in. */
export type RouteRequest<R extends Route> = Parts<R, 'out'>;
/** What a client receives. */
export type RouteOutput<R extends Route> = z.output<R['response']>;

export function route<const R extends Route>(definition: R): R {
  return definition;
}
