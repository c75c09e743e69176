import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';

export function notificationHandlers({ catalogue, notifier }: ServerDeps) {
  return {
    listNotifications: ({ query }) => catalogue.outbox.list(query),

    testNotifications: async ({ requester }) => ({ receivers: await notifier.test(requester.principal) }),
  } satisfies Partial<Handlers>;
}
