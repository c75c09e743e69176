/** api/recovery-plan.schema.json, made from the written form of a plan: JSON Schema 2020-12, for editors. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { planDocumentSchema } from '../api/plan-document.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';

export const planSchemaFile = join(repositoryRoot, 'api', 'recovery-plan.schema.json');

export function renderPlanSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(planDocumentSchema, { io: 'input', reused: 'ref' }), null, 2)}\n`;
}

if (import.meta.main) await writeFile(planSchemaFile, renderPlanSchema());
