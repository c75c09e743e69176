/** Every setting as a flat list, read off the schema: names of environment variables, flags and documentation follow from it. */
import { z } from 'zod';
import { settingsSchema } from './schema.ts';

export interface Setting {
  /** `replication.cache.freeMin` in the file and after `--set`. */
  readonly path: string;
  /** `SWITCHBACK_REPLICATION_CACHE_FREE_MIN`. */
  readonly variable: string;
  readonly description: string;
  readonly fallback?: string;
  /** Choices of a `kind` that the setting belongs to. */
  readonly onlyFor?: string;
  readonly required: boolean;
}

/** `replication.cache.freeMin` → `SWITCHBACK_REPLICATION_CACHE_FREE_MIN`. */
export function variableOf(path: string): string {
  const words = path.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('.', '_');
  return `SWITCHBACK_${words.toUpperCase()}`;
}

export const settings: readonly Setting[] = merge(leaves(settingsSchema, [], { required: true }));

interface Around {
  readonly required: boolean;
  readonly fallback?: string;
  readonly description?: string;
  readonly onlyFor?: string;
}

function leaves(schema: unknown, path: readonly string[], around: Around): Setting[] {
  const description = (schema as z.ZodType).description ?? around.description;
  const here: Around = { ...around, ...(description === undefined ? {} : { description }) };
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, inner]) =>
      leaves(inner, [...path, key], without(here, 'description')),
    );
  }
  if (schema instanceof z.ZodDiscriminatedUnion) return unionLeaves(schema, path, here);
  if (schema instanceof z.ZodPrefault) {
    const fallback = schema.def.defaultValue;
    const known = typeof fallback === 'string' ? { ...here, fallback } : here;
    return leaves(
      schema.unwrap(),
      path,
      typeof fallback === 'string' ? { ...known, required: false } : known,
    );
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional) {
    return leaves(schema.unwrap(), path, { ...here, required: false });
  }
  const name = path.join('.');
  return [
    {
      path: name,
      variable: variableOf(name),
      description: here.description ?? '',
      required: here.required,
      ...(here.fallback === undefined ? {} : { fallback: here.fallback }),
      ...(here.onlyFor === undefined ? {} : { onlyFor: here.onlyFor }),
    },
  ];
}

function unionLeaves(union: z.ZodDiscriminatedUnion, path: readonly string[], around: Around): Setting[] {
  const kinds: string[] = [];
  const inner = union.options.flatMap((option) => {
    const shape = (option as z.ZodObject).shape;
    const kind = String((shape['kind'] as z.ZodLiteral).value);
    kinds.push(kind);
    return Object.entries(shape)
      .filter(([key]) => key !== 'kind')
      .flatMap(([key, schema]) => leaves(schema, [...path, key], { ...around, onlyFor: kind }));
  });
  const name = [...path, 'kind'].join('.');
  const description = kinds.map((kind) => `\`${kind}\``).join(', ');
  return [{ path: name, variable: variableOf(name), description, required: around.required }, ...inner];
}

/** A setting that several kinds share is one setting. */
function merge(all: readonly Setting[]): Setting[] {
  const byPath = new Map<string, Setting>();
  for (const setting of all) {
    const earlier = byPath.get(setting.path);
    byPath.set(
      setting.path,
      earlier === undefined
        ? setting
        : {
            ...earlier,
            required: earlier.required && setting.required,
            onlyFor: `${earlier.onlyFor}, ${setting.onlyFor}`,
          },
    );
  }
  return [...byPath.values()];
}

function without<T extends object, K extends keyof T>(value: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = value;
  return rest;
}
