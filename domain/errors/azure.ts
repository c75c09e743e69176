/** Azure. */
import { entry, type ErrorEntry } from './entry.ts';

export const azureErrors = {
  DR_AZURE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Azure Resource Manager does not answer: {reason}',
    'Check network and credentials; the step goes on by itself.',
  ),
  DR_AZURE_PRICES_UNREADABLE: entry(
    'retry',
    503,
    6,
    'The price list of Azure cannot be read: {reason}',
    'Look whether the recovery-site worker reaches `azure.prices.endpoint`; no credential is needed there.',
  ),
  DR_AZURE_BUSY: entry(
    'retry',
    409,
    6,
    'Azure is busy and could not {attempted} yet: {azureCode} {reason}',
    'Nothing to do: the step is tried again.',
  ),
  DR_AZURE_REFUSED: entry(
    'fail',
    403,
    5,
    'Azure refused {attempted}: {azureCode} {reason}',
    'Give the identity the role of docs/azure-role.md on the target resource group and network.',
  ),
  DR_AZURE_QUOTA: entry(
    'pause',
    409,
    8,
    'Quota {quota} in {location} allows {limit}, {used} are used, {needed} more are needed',
    'Raise the quota, or remove what is not needed, or choose a smaller VM size where cores are short; then retry.',
  ),
  DR_AZURE_SIZE_UNAVAILABLE: entry(
    'pause',
    409,
    8,
    'VM size {size} is not available in {location}: {reason}',
    'Choose another size for the item.',
  ),
  DR_AZURE_NETWORK_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Subnet {subnet} does not exist',
    'Create it, or choose another subnet.',
  ),
  DR_AZURE_NETWORK_NOT_ISOLATED: entry(
    'fail',
    409,
    4,
    'Network {network} is not isolated: {reason}',
    'Drill in a network without peerings and gateways that is not the production network.',
  ),
  DR_AZURE_ADDRESS_TAKEN: entry(
    'pause',
    409,
    8,
    'Address {address} in {subnet} is taken by {owner}',
    'Free the address (a left-over drill is the usual cause) or choose another one.',
  ),
  DR_AZURE_NAME_TAKEN: entry(
    'fail',
    409,
    4,
    '{resource} exists and does not belong to run {run}',
    'Remove or rename it; Switchback never touches what it did not make.',
  ),
  DR_AZURE_OPERATION_FAILED: entry(
    'pause',
    502,
    8,
    'Azure could not {attempted}: {azureCode} {reason}',
    'Read the Azure message; correct the cause and start the operation again.',
  ),
  DR_CLEANUP_INCOMPLETE: entry(
    'retry',
    409,
    6,
    'After cleanup of run {run} these remain: {resources}',
    'Cleanup is tried again; remove locks on the resources if it keeps failing.',
  ),
} as const satisfies Record<string, ErrorEntry>;
