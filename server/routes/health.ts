import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';

export function healthHandlers(deps: ServerDeps) {
  return {
    health: async () => ({ status: 'ok' as const, version: deps.version, site: deps.site }),
  } satisfies Partial<Handlers>;
}
