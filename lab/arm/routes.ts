import { getOperationResult, getOperationStatus } from './lro.ts';
import type { ResourceType } from './model.ts';
import {
  beginDiskAccess,
  beginSnapshotAccess,
  endDiskAccess,
  endSnapshotAccess,
} from './resources/access.ts';
import {
  deleteAvailabilitySet,
  getAvailabilitySet,
  listAvailabilitySets,
  listSizesOfSet,
  putAvailabilitySet,
} from './resources/availability-sets.ts';
import { retrieveBootDiagnosticsData } from './resources/boot-diagnostics.ts';
import { deleteResource } from './resources/deletion.ts';
import { getDisk, listDisks, putDisk } from './resources/disks.ts';
import { getDocument, putDocument } from './resources/documents.ts';
import {
  deleteGroup,
  getGroup,
  headGroup,
  listGroups,
  listResources,
  patchGroup,
  putGroup,
} from './resources/groups.ts';
import { getNetwork, listNetworks, putNetwork } from './resources/networks.ts';
import { getNic, listNics, putNic } from './resources/nics.ts';
import { patchResource } from './resources/patch.ts';
import { listSkus } from './resources/skus.ts';
import { deleteRunCommand, getRunCommand, listRunCommands, putRunCommand } from './resources/run-commands.ts';
import { getSnapshot, listSnapshots, putSnapshot } from './resources/snapshots.ts';
import { checkAddress, deleteSubnet, getSubnet, listSubnets, putSubnet } from './resources/subnets.ts';
import { getTags, patchTags, putTags } from './resources/tags.ts';
import { listComputeUsages, listNetworkUsages } from './resources/usages.ts';
import { powerAction } from './resources/vm-power.ts';
import { getInstanceView, getVm, listVms, putVm } from './resources/vms.ts';
import type { Handler, Route } from './router.ts';

const SUBSCRIPTION = '/subscriptions/:subscription';
const GROUP = `${SUBSCRIPTION}/resourcegroups/:group`;
const DISK = `${GROUP}/providers/Microsoft.Compute/disks/:name`;
const SNAPSHOT = `${GROUP}/providers/Microsoft.Compute/snapshots/:name`;
const AVAILABILITY_SET = `${GROUP}/providers/Microsoft.Compute/availabilitySets/:name`;
const VM = `${GROUP}/providers/Microsoft.Compute/virtualMachines/:name`;
const RUN_COMMAND = `${VM}/runCommands/:command`;
const NETWORK = `${GROUP}/providers/Microsoft.Network/virtualNetworks/:name`;
const SUBNET = `${NETWORK}/subnets/:subnet`;
const TAGS = '/:scope*/providers/Microsoft.Resources/tags/default';

interface Calls {
  readonly put: Handler;
  readonly get: Handler;
  readonly list?: Handler;
  /** Where deletion is no long-running operation. */
  readonly remove?: Handler;
}

const tracked: Readonly<Partial<Record<ResourceType, Calls>>> = {
  'Microsoft.Compute/disks': { put: putDisk, get: getDisk, list: listDisks },
  'Microsoft.Compute/snapshots': { put: putSnapshot, get: getSnapshot, list: listSnapshots },
  'Microsoft.Compute/availabilitySets': {
    put: putAvailabilitySet,
    get: getAvailabilitySet,
    list: listAvailabilitySets,
    remove: deleteAvailabilitySet,
  },
  'Microsoft.Compute/virtualMachines': { put: putVm, get: getVm, list: listVms },
  'Microsoft.Network/networkInterfaces': { put: putNic, get: getNic, list: listNics },
  'Microsoft.Network/virtualNetworks': { put: putNetwork, get: getNetwork, list: listNetworks },
  'Microsoft.Network/publicIPAddresses': {
    put: putDocument('Microsoft.Network/publicIPAddresses'),
    get: getDocument('Microsoft.Network/publicIPAddresses'),
  },
  'Microsoft.Network/networkSecurityGroups': {
    put: putDocument('Microsoft.Network/networkSecurityGroups'),
    get: getDocument('Microsoft.Network/networkSecurityGroups'),
  },
};

/** The part of Azure Resource Manager that Switchback uses; paths are matched without case. */
export const routes: readonly Route[] = [
  { method: 'GET', pattern: `${SUBSCRIPTION}/resourcegroups`, handler: listGroups },
  { method: 'PUT', pattern: GROUP, handler: putGroup },
  { method: 'GET', pattern: GROUP, handler: getGroup },
  { method: 'HEAD', pattern: GROUP, handler: headGroup },
  { method: 'PATCH', pattern: GROUP, handler: patchGroup },
  { method: 'DELETE', pattern: GROUP, handler: deleteGroup },
  { method: 'GET', pattern: `${SUBSCRIPTION}/resources`, handler: listResources },
  { method: 'GET', pattern: `${GROUP}/resources`, handler: listResources },
  { method: 'GET', pattern: TAGS, handler: getTags },
  { method: 'PUT', pattern: TAGS, handler: putTags },
  { method: 'PATCH', pattern: TAGS, handler: patchTags },
  { method: 'POST', pattern: `${DISK}/beginGetAccess`, handler: beginDiskAccess },
  { method: 'POST', pattern: `${DISK}/endGetAccess`, handler: endDiskAccess },
  { method: 'POST', pattern: `${SNAPSHOT}/beginGetAccess`, handler: beginSnapshotAccess },
  { method: 'POST', pattern: `${SNAPSHOT}/endGetAccess`, handler: endSnapshotAccess },
  { method: 'GET', pattern: `${AVAILABILITY_SET}/vmSizes`, handler: listSizesOfSet },
  { method: 'GET', pattern: `${VM}/instanceView`, handler: getInstanceView },
  { method: 'POST', pattern: `${VM}/start`, handler: powerAction('start') },
  { method: 'POST', pattern: `${VM}/restart`, handler: powerAction('restart') },
  { method: 'POST', pattern: `${VM}/powerOff`, handler: powerAction('powerOff') },
  { method: 'POST', pattern: `${VM}/deallocate`, handler: powerAction('deallocate') },
  { method: 'POST', pattern: `${VM}/retrieveBootDiagnosticsData`, handler: retrieveBootDiagnosticsData },
  { method: 'GET', pattern: `${VM}/runCommands`, handler: listRunCommands },
  { method: 'PUT', pattern: RUN_COMMAND, handler: putRunCommand },
  { method: 'GET', pattern: RUN_COMMAND, handler: getRunCommand },
  { method: 'DELETE', pattern: RUN_COMMAND, handler: deleteRunCommand },
  { method: 'GET', pattern: `${NETWORK}/CheckIPAddressAvailability`, handler: checkAddress },
  { method: 'GET', pattern: `${NETWORK}/subnets`, handler: listSubnets },
  { method: 'PUT', pattern: SUBNET, handler: putSubnet },
  { method: 'GET', pattern: SUBNET, handler: getSubnet },
  { method: 'DELETE', pattern: SUBNET, handler: deleteSubnet },
  { method: 'GET', pattern: `${SUBSCRIPTION}/providers/Microsoft.Compute/skus`, handler: listSkus },
  {
    method: 'GET',
    pattern: `${SUBSCRIPTION}/providers/Microsoft.Compute/locations/:location/usages`,
    handler: listComputeUsages,
  },
  {
    method: 'GET',
    pattern: `${SUBSCRIPTION}/providers/Microsoft.Network/locations/:location/usages`,
    handler: listNetworkUsages,
  },
  {
    method: 'GET',
    pattern: `${SUBSCRIPTION}/providers/:provider/locations/:location/operations/:operation`,
    handler: getOperationStatus,
  },
  { method: 'GET', pattern: `${SUBSCRIPTION}/operationresults/:operation`, handler: getOperationResult },
  ...Object.entries(tracked).flatMap(([type, calls]) => trackedRoutes(type as ResourceType, calls)),
];

function trackedRoutes(type: ResourceType, { put, get, list, remove }: Calls): Route[] {
  const pattern = `${GROUP}/providers/${type}/:name`;
  const deletion: Handler = (simulator, request) => deleteResource(simulator, request, type);
  return [
    { method: 'PUT', pattern, handler: put },
    { method: 'GET', pattern, handler: get },
    { method: 'PATCH', pattern, handler: patchResource(type, get) },
    { method: 'DELETE', pattern, handler: remove ?? deletion },
    ...(list === undefined
      ? []
      : [
          { method: 'GET', pattern: `${GROUP}/providers/${type}`, handler: list },
          { method: 'GET', pattern: `${SUBSCRIPTION}/providers/${type}`, handler: list },
        ]),
  ];
}
