/** The practice ground. Its code is loaded only by these commands; the product itself knows nothing of it. */
import { join } from 'node:path';
import type { LabStatus } from '../../../lab/commands.ts';
import { verb, type Cli } from '../../cli.ts';
import { facts, table } from '../../render/text.ts';

const commands = () => import('../../../lab/commands.ts');

export function labUp(cli: Cli) {
  return verb('up', 'Start a practice vCenter, Azure, storage account and Temporal on this machine', 'lab up')
    .option('--name <name>', 'several labs may run side by side', 'practice')
    .option('--seed <number>', 'what the machines and their disks are made from', Number, 1)
    .action(async ({ name, seed }) => {
      const { labUp, labStatus } = await commands();
      const onReady = (part: { name: string; address: string }) => {
        cli.io.stderr.write(`  ${part.name} ready at ${part.address}\n`);
      };
      await labUp(name, { seed, onReady });
      const status = (await labStatus()).find((lab) => lab.name === name);
      if (status === undefined) throw new Error(`lab ${name} has left no record`);
      cli.show(status, labPage);
    });
}

export function labStatus(cli: Cli) {
  return verb('status', 'Show what runs in every lab', 'lab status').action(async () => {
    const { labStatus } = await commands();
    cli.show(await labStatus(), (labs) =>
      table(
        ['lab', 'state', 'processes', 'folder'],
        labs.map((lab) => [
          lab.name,
          lab.up ? 'up' : 'down',
          lab.processes.map((process) => `${process.name}${process.alive ? '' : ' (gone)'}`).join(', '),
          lab.folder,
        ]),
        'There is no lab. Start one with `switchback lab up`.',
      ),
    );
  });
}

export function labDown(cli: Cli) {
  return verb('down', 'Stop every lab', 'lab down --remove')
    .option('--remove', 'delete their files too')
    .action(async ({ remove }) => {
      const { labDown } = await commands();
      const stopped = await labDown({ remove: remove === true });
      cli.show(stopped, (names) =>
        names.length === 0 ? 'There was no lab.' : `Stopped ${names.join(', ')}.`,
      );
    });
}

function labPage(lab: LabStatus): string {
  return [
    facts(Object.entries(lab.addresses)),
    '',
    `Speak to it:  export SWITCHBACK_PROFILE=${join(lab.folder, 'profile.json')}`,
  ].join('\n');
}
