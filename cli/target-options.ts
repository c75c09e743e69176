/** Options of where a machine fails over to. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { diskTypes } from '../domain/ports/azure.ts';

export const SIZE_HELP = 'VM size after failover, such as Standard_D2s_v5';
export const SUBNET_HELP = 'complete Azure id of the subnet of a real failover';
export const GROUP_HELP = 'existing resource group of a real failover (default: the run makes one)';
export const ZONE_HELP = 'number of an availability zone';
export const SET_HELP = 'complete Azure id of an availability set';
export const TAG_HELP = 'tag of the Azure machine and its disks; may be repeated';

export function diskTypeOption() {
  return new Option('--disk-type <type>', 'type of the Azure disks (Standard_LRS if never set)').choices(
    diskTypes,
  );
}

export function tagOption(given: string, earlier: Tags | undefined): Tags {
  const at = given.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write name=value, such as owner=payroll.');
  return { ...earlier, [given.slice(0, at)]: given.slice(at + 1) };
}

type Tags = Record<string, string>;

interface Placement {
  readonly diskType?: (typeof diskTypes)[number];
  readonly resourceGroup?: string;
  readonly zone?: string;
  readonly availabilitySet?: string;
  readonly tag?: Tags;
}

/** What was given, by the API's names. */
export function placement({ diskType, resourceGroup, zone, availabilitySet, tag }: Placement) {
  return {
    ...(diskType === undefined ? {} : { diskType }),
    ...(resourceGroup === undefined ? {} : { resourceGroup }),
    ...(zone === undefined ? {} : { zone }),
    ...(availabilitySet === undefined ? {} : { availabilitySetId: availabilitySet }),
    ...(tag === undefined ? {} : { tags: tag }),
  };
}
