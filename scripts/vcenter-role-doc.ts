/** docs/vcenter-role.md, made from the privileges that preflight asks for. */
import { writeFile } from 'node:fs/promises';
import { type Privilege, type PrivilegePurpose, privileges } from '../domain/privileges.ts';

const head = `# The roles Switchback needs in vCenter

<!-- Made by \`npm run generate\` from domain/privileges.ts; change it there. -->

Assign a role, with propagation, where the protected machines live: on the datacenter, or on the folders of the machines plus
their datastores, networks and clusters. Privileges marked **vCenter root** must be granted there. Use an account of its own:
Switchback holds one session per process with it.

Two roles are enough: one with the first table for sites that only replicate, one with all tables for sites machines come home
to. \`switchback item check\` names every privilege that is missing; it looks at the machine, which inherits the whole role, and at
the root. Without it a missing one shows as \`DR_VCENTER_NO_PERMISSION\` with its id; grant it and retry, nothing else is needed.
`;

const titles: Readonly<Record<PrivilegePurpose, string>> = {
  replicate: 'Replication and planned shutdown',
  failbackOriginal: 'Beyond that: failback to the original machine',
  failbackNewMachine: 'Beyond that: failback to a new machine',
};

const tail = `
## Only in some places

- \`Cryptographer.Access\`, where machines are encrypted.
- With the HotAdd transport, on the proxy machine: \`VirtualMachine.Config.AddExistingDisk\`, \`VirtualMachine.Config.AddNewDisk\`,
  \`VirtualMachine.Config.RemoveDisk\`, \`VirtualMachine.Config.Resource\`, \`VirtualMachine.Config.Settings\`; \`Datastore.AllocateSpace\` on its datastores.
- Where failovers never shut the source down, \`VirtualMachine.Interact.PowerOff\` may be left out.

## Tags and folders

Recovery plans may name machines by vSphere tag or by folder.

- **Tags** are read through vCenter's REST API (\`/rest\`, TCP 443 as everything else), with the same account and a session that
  ends with each discovery. No privilege beyond \`System.Read\` is needed, but what is granted on machines, folders and datacenters
  does not count for tags: grant the role \`Read-only\` as a global permission, or on the categories and tags that plans name. vCenter
  shows an account only the tags it may read: machines whose tags are hidden look like machines without tags.
- A vCenter that refuses the REST API is discovered all the same. Machines then keep the tags of the discovery before, and
  \`DR_VCENTER_TAGS_UNREADABLE\` says why in the job, in the answer of \`switchback machine list --refresh\` and in the log.
- **Folders** are known where the account sees every folder from the machine up to its datacenter: assign the role on the datacenter.

## What Switchback changes on a machine

| When | What |
|---|---|
| protection | turns changed-block tracking on; where it was off, one snapshot is made and removed so that it takes effect |
| each cycle | one snapshot \`switchback-…\`, removed as soon as it was read |
| reprotect | a line \`[Switchback] …\` in the notes that says why the machine must stay off; tracking is turned off, because what is written from outside is in no record of changes |
| failback | one snapshot \`switchback-…-home-…\` before the machine is powered on; cancelling goes back to it |
| commit of the failback | removes snapshot and line |
| replication again | turns tracking on: a fresh run, which knows nothing of the time before |

A machine that Switchback made at home carries \`switchback.key\` in its extra configuration. No other machine is ever deleted, and no
snapshot whose name does not begin with \`switchback-\` is ever touched.

## Network

| From | To | Port |
|---|---|---|
| process server, master target | vCenter | TCP 443 |
| process server, master target | ESXi hosts | TCP 902 (VDDK, not with HotAdd) |

Trust is one pinned certificate: its SHA-256 fingerprint is shown when the vCenter is added and must be confirmed. When
vCenter's certificate is replaced, every call ends in \`DR_VCENTER_CERTIFICATE_CHANGED\` until the vCenter is added again.
`;

export function renderVCenterRoleDoc(): string {
  const purposes = Object.keys(titles) as PrivilegePurpose[];
  return head + purposes.map(section).join('') + tail;
}

function section(purpose: PrivilegePurpose): string {
  const rows = privileges[purpose].map(row);
  return [
    '',
    `## ${titles[purpose]}`,
    '',
    '| Privilege id | Where | What for |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function row({ id, scope, grantedOn, purpose }: Privilege): string {
  return `| \`${id}\` | ${scope === 'root' ? `**${grantedOn}**` : grantedOn} | ${purpose} |`;
}

if (import.meta.main) await writeFile('docs/vcenter-role.md', renderVCenterRoleDoc());
