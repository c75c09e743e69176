/** Values of the vSphere API as the SOAP library writes and reads them. */
import { z } from 'zod';

/** Reference to a managed object. */
export interface MoRef {
  readonly attributes: { readonly type: string };
  readonly $value: string;
}

export function mor(type: string, value: string): MoRef {
  return { attributes: { type }, $value: value };
}

/** Rebuilds a received reference: one that came through `anyType` carries a foreign prefix that must not be sent back. */
export const moRefSchema = z
  .object({ attributes: z.object({ type: z.string() }), $value: z.string() })
  .transform((ref) => mor(ref.attributes.type, ref.$value));

/** Names the concrete type of an object where the schema declares only its base. The prefix must be `xsi`. */
export function typed<T extends object>(
  type: string,
  fields: T,
): T & { readonly attributes: { 'xsi:type': string } } {
  return { attributes: { 'xsi:type': type }, ...fields };
}

/** Name of the concrete type of a received object; servers choose the prefix of the attribute freely. */
export function typeOf(value: unknown): string | undefined {
  const attributes = asRecord(asRecord(value)?.['attributes']);
  if (attributes === undefined) return undefined;
  const name = Object.entries(attributes).find(([key]) => key.endsWith(':type'))?.[1];
  return typeof name === 'string' ? name : undefined;
}

const scalars: Readonly<Record<string, (text: string) => unknown>> = {
  boolean: (text) => text === 'true' || text === '1',
  byte: Number,
  short: Number,
  int: Number,
  long: Number,
  float: Number,
  double: Number,
  dateTime: (text) => new Date(text),
};

/**
 * Turns an `anyType` value into what it says it is: the library leaves scalars as text and wraps arrays in
 * an element of their item's name. Objects and references stay as they are.
 */
export function unwrap(value: unknown): unknown {
  const record = asRecord(value);
  const type = typeOf(value);
  if (record === undefined || type === undefined) return value;
  const text = record['$value'];
  if (type.startsWith('xsd:') || type.startsWith('xs:')) {
    const convert = scalars[type.slice(type.indexOf(':') + 1)];
    const plain = typeof text === 'string' ? text : '';
    return convert === undefined ? plain : convert(plain);
  }
  if (type.startsWith('ArrayOf')) {
    const items = Object.entries(record).find(([key]) => key !== 'attributes')?.[1] ?? [];
    return Array.isArray(items) ? items : [items];
  }
  const isReference = 'type' in (asRecord(record['attributes']) ?? {});
  return text !== undefined && !isReference ? text : value;
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
