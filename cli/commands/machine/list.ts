import { contract } from '../../../api/contract.ts';
import type { Machine } from '../../../api/machines.ts';
import { verb, type Cli } from '../../cli.ts';
import { bytes, table, words } from '../../render/text.ts';

export function machineList(cli: Cli) {
  return verb('list', 'List discovered machines', 'machine list --vcenter berlin --name "web-*" --refresh')
    .option('--vcenter <name>', 'only of this vCenter')
    .option('--name <name>', 'exact; * stands for any characters')
    .option('--refresh', 'read the machines from vCenter first')
    .action(async ({ vcenter, name, refresh }) => {
      if (refresh === true) await discover(cli, vcenter);
      const filter = { ...(vcenter && { vcenter }), ...(name && { name }) };
      const machines = await cli.all((page) =>
        cli.call(contract.listMachines, { query: { limit: 500, ...filter, ...page } }),
      );
      cli.show(machines, machineTable);
    });
}

async function discover(cli: Cli, vcenter: string | undefined): Promise<void> {
  const names =
    vcenter === undefined
      ? (await cli.all((page) => cli.call(contract.listVCenters, { query: page }))).map((v) => v.name)
      : [vcenter];
  for (const id of names) {
    const { tagsProblem } = await cli.call(contract.discoverVCenter, { params: { id } });
    if (tagsProblem === undefined) continue;
    cli.io.stderr.write(`Warning: ${tagsProblem.message}\nWhat to do: ${tagsProblem.remedy}\n`);
  }
}

function machineTable(machines: readonly Machine[]): string {
  return table(
    ['name', 'id', 'power', 'disks', 'vcenter', 'folder', 'tags', 'protection'],
    machines.map((machine) => [
      machine.name,
      machine.id,
      words(machine.powerState),
      `${machine.disks.length}, ${bytes(machine.disks.reduce((sum, disk) => sum + disk.capacityBytes, 0))}`,
      machine.vcenterId,
      machine.folder ?? '?',
      machine.tags?.join(', ') ?? '?',
      protection(machine),
    ]),
    'No machine was found. `--refresh` reads them from vCenter.',
  );
}

function protection(machine: Machine): string {
  if (machine.isProtected) return 'protected';
  const [problem, ...more] = machine.problems;
  if (problem === undefined) return 'possible';
  return `not possible: ${problem.message}${more.length > 0 ? ` (and ${more.length} more)` : ''}`;
}
