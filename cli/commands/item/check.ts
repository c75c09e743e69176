import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { checkableOperations } from '../../../api/operations.ts';
import type { CheckResult } from '../../../api/protected-items.ts';
import type { RouteInput } from '../../../api/route.ts';
import { errorCatalogue } from '../../../domain/errors.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { POINT_HELP, pointOption, type PointChoice } from '../../options.ts';
import { DATASTORE_HELP, NETWORK_HELP, placeOf } from '../../place-options.ts';
import { moment } from '../../render/text.ts';
import { itemVerbName } from '../../verbs.ts';

type CheckBody = RouteInput<typeof contract.checkItem>['body'];

interface Options {
  readonly point?: PointChoice;
  readonly shutdownSource: boolean;
  readonly subnet?: string;
  readonly datastore?: string;
  readonly network?: string;
}

const bodies: Readonly<Record<CheckBody['operation'], (options: Options) => CheckBody>> = {
  failover: ({ point, shutdownSource }) => ({
    operation: 'failover',
    choice: point ?? { kind: 'latest' },
    shutdownSource,
  }),
  testFailover: ({ point, subnet }) => {
    if (subnet === undefined) throw invalid('a drill needs --subnet');
    return { operation: 'testFailover', choice: point ?? { kind: 'latestProcessed' }, subnetId: subnet };
  },
  reprotect: (options) => ({ operation: 'reprotect', ...placeOf(options) }),
  failback: () => ({ operation: 'failback' }),
};

const operations = new Map(checkableOperations.map((operation) => [itemVerbName(operation), operation]));

export function itemCheck(cli: Cli) {
  return verb(
    'check',
    'Run every check before an operation without doing it, and tell all problems at once',
    'item check web-01 --operation failover',
  )
    .argument('<item>', 'machine name or item id')
    .addOption(
      new Option('--operation <operation>', 'what is to be checked')
        .choices([...operations.keys()])
        .default('failover'),
    )
    .option('--point <choice>', `of a failover or drill: ${POINT_HELP}`, pointOption)
    .option('--no-shutdown-source', 'of a failover: the source is left as it is')
    .option('--subnet <id>', 'of a drill: complete Azure id of a subnet in an isolated network')
    .option('--datastore <name>', `of a reprotect: ${DATASTORE_HELP}`)
    .option('--network <name>', `of a reprotect: ${NETWORK_HELP}`)
    .action(async (id, options) => {
      const operation = operations.get(options.operation) ?? 'failover';
      const body = bodies[operation](options);
      const result = await cli.call(contract.checkItem, { params: { id }, body });
      cli.show(result, (told) => checkText(options.operation, told));
      if (result.problems.length > 0) cli.exitCode = errorCatalogue.DR_PREFLIGHT_FAILED.exit;
    });
}

function checkText(operation: string, { problems, checkedAt }: CheckResult): string {
  const at = `checked ${moment(checkedAt)}`;
  if (problems.length === 0) return `Nothing stands in the way of ${operation} (${at}).`;
  const count = problems.length === 1 ? '1 problem stands' : `${problems.length} problems stand`;
  return [
    `${count} in the way of ${operation} (${at}):`,
    ...problems.map(({ code, message, remedy }) => `  ✗ ${message} (${code})\n    What to do: ${remedy}`),
  ].join('\n');
}
