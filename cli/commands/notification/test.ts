import { contract } from '../../../api/contract.ts';
import { errorCatalogue } from '../../../domain/errors.ts';
import { verb, type Cli } from '../../cli.ts';
import { table } from '../../render/text.ts';

const exit = errorCatalogue.DR_NOTIFICATION_FAILED.exit;

export function notificationTest(cli: Cli) {
  return verb(
    'test',
    `Send a test to every receiver and say of each what happened; ends with ${exit} when one was not reached`,
    'notification test',
  ).action(async () => {
    const { receivers } = await cli.call(contract.testNotifications, {});
    cli.show(receivers, (all) =>
      table(
        ['receiver', 'reached', 'answer'],
        all.map(({ receiver, ok, detail }) => [receiver, ok ? 'yes' : 'no', detail]),
        'There is no receiver: `notifications` in the configuration names them.',
      ),
    );
    if (!receivers.every(({ ok }) => ok)) cli.exitCode = exit;
  });
}
