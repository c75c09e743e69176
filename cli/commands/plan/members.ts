import { contract } from '../../../api/contract.ts';
import type { PlanMembers } from '../../../api/recovery-plans.ts';
import { errorCatalogue } from '../../../domain/errors.ts';
import { verb, type Cli } from '../../cli.ts';
import { verifiedText } from '../../render/readiness.ts';
import { table } from '../../render/text.ts';

const exit = errorCatalogue.DR_PLAN_NOT_READY.exit;

export function planMembers(cli: Cli) {
  return verb(
    'members',
    `Show which machines a run of a recovery plan would take now, and which are in no plan; ends with ${exit} when a run would not begin`,
    'plan members shop',
  )
    .argument('<plan>', 'name of the plan')
    .action(async (name) => {
      const members = await cli.call(contract.getPlanMembers, { params: { name } });
      cli.show(members, membersText);
      if (members.problems.length > 0) cli.exitCode = exit;
    });
}

function membersText(members: PlanMembers): string {
  const { name, version, groups, problems, drift } = members;
  const rows = groups.flatMap(({ group, members }) =>
    members.map((member) => [group, member.name, member.machineId]),
  );
  return [
    `Plan "${name}", version ${version}, ${verifiedText(members)}`,
    table(['group', 'machine', 'id'], rows, 'It has no machine now.'),
    ...(problems.length === 0 ? [] : ['', 'In the way of a run:']),
    ...problems.map(({ group, selector, reason }) => `  ✗ group ${group}, ${selector}: ${reason}`),
    ...(drift.length === 0 ? [] : ['', 'In no plan, although a tag or folder of a plan selects it:']),
    ...drift.map(({ name, folder, tags = [] }) => `  ! ${[name, folder ?? [], tags].flat().join('  ')}`),
  ].join('\n');
}
