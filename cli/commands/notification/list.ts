import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import type { ListedNotification } from '../../../api/notifications.ts';
import { deliveryStates } from '../../../domain/notification.ts';
import { verb, type Cli } from '../../cli.ts';
import { kebab, moment, table } from '../../render/text.ts';

const LIMIT = 50;

export function notificationList(cli: Cli) {
  return verb(
    'list',
    `List the newest ${LIMIT} notifications, and who has received them`,
    'notification list --state givenUp',
  )
    .addOption(
      new Option('--state <state>', 'only those with a delivery in this state').choices(deliveryStates),
    )
    .action(async ({ state }) => {
      const query = { limit: LIMIT, ...(state && { state }) };
      const { items } = await cli.call(contract.listNotifications, { query });
      cli.show(items, (all) =>
        table(
          ['at', 'event', 'subject', 'deliveries'],
          all.map(({ at, event, subject, deliveries }) => [
            moment(at),
            kebab(event),
            subject,
            deliveryText(deliveries),
          ]),
          'There is no notification.',
        ),
      );
    });
}

function deliveryText(deliveries: ListedNotification['deliveries']): string {
  if (deliveries.length === 0) return 'no receiver listens to it';
  return deliveries.map(oneDelivery).join('; ');
}

function oneDelivery({ receiver, state, tries, nextAt, problem }: ListedNotification['deliveries'][number]) {
  const why = problem === undefined ? '' : `: ${problem}`;
  if (state === 'sent') return `${receiver} sent${why}`;
  if (state === 'givenUp') return `${receiver} given up after ${tries} tries${why}`;
  const next = nextAt === undefined || tries === 0 ? '' : `, next try ${moment(nextAt)}`;
  return `${receiver} waiting${next}${why}`;
}
