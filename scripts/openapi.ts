/** api/openapi.json, made from the contract: OpenAPI 3.1. */
import { writeFile } from 'node:fs/promises';
import swagger from '@fastify/swagger';
import fastify from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { contract } from '../api/contract.ts';
import { routeSchema } from '../server/route-schema.ts';

export async function renderOpenApi(): Promise<string> {
  const server = fastify();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Switchback',
        description: 'API of the configuration server. Unknown fields are refused; lists are paged.',
        version: '1',
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  server.after(() => {
    for (const [operationId, route] of Object.entries(contract)) {
      const schema = { ...routeSchema(route), operationId, ...('open' in route ? { security: [] } : {}) };
      server.route({ method: route.method, url: route.path, schema, handler: () => undefined });
    }
  });
  await server.ready();
  const document = server.swagger() as Document;
  await server.close();
  return `${JSON.stringify(withoutUnused(document), null, 2)}\n`;
}

interface Document {
  readonly paths: unknown;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** The generator lists every schema twice, as input and as output; what no route leads to is left out. */
function withoutUnused(document: Document): Document {
  const { schemas } = document.components;
  const used = new Set<string>();
  const visit = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (name === undefined || used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit(document.paths);
  const kept = Object.entries(schemas).filter(([name]) => used.has(name));
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(kept) } };
}

if (import.meta.main) await writeFile('api/openapi.json', await renderOpenApi());
