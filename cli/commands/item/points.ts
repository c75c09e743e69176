import { contract } from '../../../api/contract.ts';
import type { RecoveryPointView } from '../../../api/replication.ts';
import { verb, type Cli } from '../../cli.ts';
import { moment, table } from '../../render/text.ts';

/** The server lists the names of all points for every page: as few pages as it allows. */
const PAGE_LIMIT = 500;

export function itemPoints(cli: Cli) {
  return verb('points', 'List recovery points, newest first', 'item points web-01')
    .argument('<item>', 'machine name or item id')
    .action(async (id) => {
      const points = await cli.all((page) =>
        cli.call(contract.listRecoveryPoints, { params: { id }, query: { ...page, limit: PAGE_LIMIT } }),
      );
      cli.show(points, (all) =>
        table(
          ['point', 'source time', 'consistency', 'processed'],
          all.map((p) => [p.pointId, moment(p.sourceTime), consistencyOf(p), moment(p.processedTime)]),
          'There is no recovery point yet.',
        ),
      );
    });
}

function consistencyOf({ consistency, differs }: RecoveryPointView): string {
  return differs === undefined ? consistency : `${consistency}, DIFFERS FROM ITS SOURCE`;
}
