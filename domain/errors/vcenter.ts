/** vCenter: connection, certificate, permissions. */
import { entry, type ErrorEntry } from './entry.ts';

export const vcenterErrors = {
  DR_VCENTER_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no vCenter "{vcenter}"',
    'List them with `switchback vcenter list`, or add one with `switchback vcenter add`.',
  ),
  DR_VCENTER_IN_USE: entry(
    'fail',
    409,
    4,
    'vCenter "{vcenter}" cannot be removed: its machine "{machine}" is protected',
    'End the protection first with `switchback item disable`; without the credential of its vCenter nothing could come home.',
  ),
  DR_VCENTER_CREDENTIALS: entry(
    'fail',
    401,
    5,
    'vCenter {url} refused the user name or password of "{username}"',
    'Check the account in vCenter, then add the vCenter again with the right password.',
  ),
  DR_VCENTER_CERTIFICATE_CHANGED: entry(
    'pause',
    409,
    5,
    'vCenter {url} shows certificate {actual}, pinned is {pinned}',
    'If the certificate was replaced on purpose, add the vCenter again and confirm the new fingerprint. If not, somebody may stand between: do not continue.',
  ),
  DR_VCENTER_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'vCenter {url} does not answer: {reason}',
    'Check network, firewall (TCP 443) and that vCenter runs; the step goes on by itself once it answers.',
  ),
  DR_VCENTER_NO_PERMISSION: entry(
    'fail',
    403,
    5,
    'The account of vCenter "{vcenter}" lacks a privilege for {attempted}: {privilege}',
    'Grant the privilege to the role (docs/vcenter-role.md lists all), then retry.',
  ),
  DR_VCENTER_TASK_FAILED: entry(
    'retry',
    502,
    6,
    'vCenter could not {attempted}: {fault}',
    'Look at the task in vCenter; the step is tried again.',
  ),
} as const satisfies Record<string, ErrorEntry>;
