/** What a step is to do instead, as an operator has it at hand. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { z } from 'zod';
import { actionSchema } from '../../../api/plan-document.ts';
import { DrError } from '../../../domain/errors.ts';
import { invalid } from '../../connection.ts';

export type WrittenAction = z.input<typeof actionSchema>;

/** @throws DR_REQUEST_INVALID with every problem of the file, or when it cannot be read */
export async function stepAction(file: string): Promise<WrittenAction> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
  const written = contentOf(file, text);
  const checked = actionSchema.safeParse(written);
  // The server reads it again: it is sent as it was written.
  if (checked.success) return written as WrittenAction;
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw new DrError('DR_REQUEST_INVALID', { problems: `${file}: ${problems.join('; ')}` });
}

function contentOf(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw invalid(`${file} is no YAML`, error);
  }
}
