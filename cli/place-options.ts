/** Where a machine comes home to. */
import type { OperationBody } from '../api/operations.ts';
import { invalid } from './connection.ts';

export const DATASTORE_HELP = 'make a new machine, with its disks here (default: to where it was)';
export const NETWORK_HELP = 'network of every interface of the new machine';
export const HOME_NAME_HELP = "name of the new machine (default: the machine's)";

interface PlaceOptions {
  readonly datastore?: string;
  readonly network?: string;
  readonly name?: string;
}

/** @throws DR_REQUEST_INVALID for half a place */
export function placeOf({
  datastore,
  network,
  name,
}: PlaceOptions): Pick<OperationBody<'reprotect'>, 'place'> {
  if (datastore === undefined && network === undefined && name === undefined) return {};
  if (datastore === undefined || network === undefined) {
    throw invalid('a new machine needs both --datastore and --network');
  }
  return { place: { datastore, network, ...(name === undefined ? {} : { name }) } };
}
