import { z } from 'zod';
import { ArmError } from '../http.ts';
import type { JsonObject, Resource } from '../model.ts';

export const ZONES = ['1', '2', '3'];

/** At most one of a disk or a machine. */
export const zonesSchema = z.array(z.string()).max(1).optional();

export function requireZone(resourceId: string, location: string, zones: readonly string[] = []): void {
  const unknown = zones.filter((zone) => !ZONES.includes(zone));
  if (unknown.length === 0) return;
  throw new ArmError(
    400,
    'AvailabilityZoneNotSupported',
    `The zone(s) '${unknown.join(',')}' for resource '${resourceId}' is not supported. The supported zones for location '${location}' are '${ZONES.join(',')}'`,
  );
}

export function zoneOf({ body }: Resource): string | null {
  const zone: JsonObject[string] | undefined = Array.isArray(body.zones) ? body.zones[0] : undefined;
  return typeof zone === 'string' ? zone : null;
}
