import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { renderOpenApi } from '../../scripts/openapi.ts';

test('api/openapi.json is what the contract says', async () => {
  expect(await readFile('api/openapi.json', 'utf8')).toBe(await renderOpenApi());
});

test('every route is in the document, and only /health needs no token', async () => {
  const document = JSON.parse(await renderOpenApi()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; security?: unknown[] }>>;
  };
  expect(document.openapi).toMatch(/^3\.1/);
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(operations.map((operation) => operation.operationId).sort()).toEqual(Object.keys(contract).sort());
  const open = operations.filter((operation) => operation.security?.length === 0);
  expect(open.map((operation) => operation.operationId)).toEqual(['health']);
});
