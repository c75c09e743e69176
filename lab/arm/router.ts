import type { Answer, ArmRequest } from './http.ts';
import type { Simulator } from './simulator.ts';

export type Handler = (simulator: Simulator, request: ArmRequest) => Answer | Promise<Answer>;

export interface Route {
  readonly method: string;
  /** Segments beginning with `:` are parameters, `:scope*` takes one or more segments; the rest is compared without case. */
  readonly pattern: string;
  readonly handler: Handler;
}

export interface Match {
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
}

/** The first route of that method and path; `methods` lists what the path allows when only the method differs. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): Match | { readonly methods: readonly string[] } {
  const methods: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (params === null) continue;
    if (route.method === method) return { handler: route.handler, params };
    methods.push(route.method);
  }
  return { methods };
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const found = compile(pattern).exec(path);
  return found === null ? null : { ...found.groups };
}

const compiled = new Map<string, RegExp>();

function compile(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const source = pattern
    .split('/')
    .map((segment) => {
      if (!segment.startsWith(':')) return segment.replaceAll('.', '\\.');
      return segment.endsWith('*') ? `(?<${segment.slice(1, -1)}>.+)` : `(?<${segment.slice(1)}>[^/]+)`;
    })
    .join('/');
  const expression = new RegExp(`^${source}/?$`, 'i');
  compiled.set(pattern, expression);
  return expression;
}
