/**
 * Puts the fields of a request into the order of the schema. vCenter refuses any other order, and the SOAP
 * library sorts only the fields of the declared type, not those of the type that `xsi:type` names.
 */
import type { WSDL } from 'soap';
import { asRecord } from './values.ts';

interface Field {
  readonly name: string;
  /** Without prefix; primitive types have no entry in the schema. */
  readonly type: string;
}

/** What this page reads of the library's parsed schema. */
interface SchemaNode {
  readonly name: string;
  readonly children?: readonly SchemaNode[];
  readonly $name?: string;
  readonly $type?: string;
  readonly $base?: string;
}

export interface ElementOrder {
  /**
   * Returns the arguments of `operation` in schema order, at every depth.
   * @throws Error naming type and field when the schema has no such field: vCenter would ignore or refuse it.
   */
  sort(operation: string, args: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Field names of a type, base type first. */
  fieldNames(type: string): readonly string[];
}

export function createElementOrder(wsdl: WSDL): ElementOrder {
  const schema = wsdl.definitions.schemas['urn:vim25'];
  if (schema === undefined) throw new Error('the WSDL has no schema urn:vim25');
  const types = schema.complexTypes as unknown as Readonly<Record<string, SchemaNode>>;
  const elements = schema.elements as unknown as Readonly<Record<string, SchemaNode>>;
  const known = new Map<string, readonly Field[]>();

  function fieldsOf(type: string): readonly Field[] {
    const remembered = known.get(type);
    if (remembered !== undefined) return remembered;
    const node = types[type];
    if (node === undefined) throw new Error(`type not in the WSDL: ${type}`);
    const fields = collect(node);
    known.set(type, fields);
    return fields;
  }

  function collect(node: SchemaNode): Field[] {
    return (node.children ?? []).flatMap((child) => {
      if (child.name === 'element') return [{ name: child.$name ?? '', type: localName(child.$type) }];
      const base = child.name === 'extension' ? localName(child.$base) : '';
      return base in types ? [...fieldsOf(base), ...collect(child)] : collect(child);
    });
  }

  function sortValue(value: unknown, declared: string): unknown {
    if (Array.isArray(value)) return value.map((item) => sortValue(item, declared));
    const record = asRecord(value);
    if (record === undefined || value instanceof Date) return value;
    const type = namedType(record) ?? declared;
    if (!(type in types) || '$value' in record) return value;
    return sortRecord(record, type);
  }

  function sortRecord(record: Readonly<Record<string, unknown>>, type: string): Record<string, unknown> {
    const fields = fieldsOf(type);
    const names = new Set(fields.map((field) => field.name));
    const unknown = Object.keys(record).find((key) => key !== 'attributes' && !names.has(key));
    if (unknown !== undefined) throw new Error(`unknown field ${type}.${unknown}`);
    const sorted: Record<string, unknown> =
      record['attributes'] === undefined ? {} : { attributes: record['attributes'] };
    for (const field of fields) {
      const value = record[field.name];
      if (value !== undefined) sorted[field.name] = sortValue(value, field.type);
    }
    return sorted;
  }

  return {
    sort(operation, args) {
      const element = elements[operation];
      if (element === undefined) throw new Error(`operation not in the WSDL: ${operation}`);
      return sortRecord(args, localName(element.$type));
    },
    fieldNames: (type) => fieldsOf(type).map((field) => field.name),
  };
}

function namedType(record: Readonly<Record<string, unknown>>): string | undefined {
  const name = asRecord(record['attributes'])?.['xsi:type'];
  return typeof name === 'string' && !name.startsWith('xsd:') ? name : undefined;
}

function localName(qualified: string | undefined): string {
  return qualified?.split(':').pop() ?? '';
}
