import { describe, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { operationBodies } from '../../api/operations.ts';
import { operationInputs, type InputField } from '../../domain/item-inputs.ts';
import { itemOperations, type ItemOperation } from '../../domain/item-operations.ts';

describe('bodies of operations', () => {
  test.each(itemOperations)('%s takes what the domain says, and requires as much', (operation) => {
    const body = operationBodies[operation];
    const example = exampleOf(operation);
    const fields = Object.keys(body.shape).filter((name) => name !== 'operationId');
    const taken = fields.map((name) => {
      const { [name]: left, ...rest } = example;
      expect(left).toBeDefined();
      return { name, required: !body.safeParse(rest).success };
    });
    const said = operationInputs[operation].map(({ name, required }) => ({ name, required }));
    expect(taken).toEqual(said);
  });

  test.each(itemOperations)('%s accepts the examples of the domain, and nothing unknown', (operation) => {
    const body = exampleOf(operation);
    expect(operationBodies[operation].safeParse(body)).toMatchObject({ success: true });
    expect(operationBodies[operation].safeParse({ ...body, colour: 'red' }).success).toBe(false);
  });

  test('each has a route named after it', () => {
    for (const operation of itemOperations) {
      expect(contract[operation].path).toMatch(/^\/v1\/protected-items\/:id\/[a-z-]+$/);
    }
    const paths = new Set(itemOperations.map((operation) => contract[operation].path));
    expect(paths.size).toBe(itemOperations.length);
  });
});

describe('update settings', () => {
  const accepts = (body: object) => operationBodies.updateSettings.safeParse(body).success;

  test.each([{}, { target: {} }, { operationId: 'x' }])('%j changes nothing and is refused', (body) => {
    expect(accepts(body)).toBe(false);
  });

  test.each(['privateIpAddress', 'resourceGroup', 'zone', 'availabilitySetId', 'tags'])(
    '%s may be taken away',
    (setting) => expect(accepts({ target: { [setting]: null } })).toBe(true),
  );

  test.each(['vmSize', 'subnetId', 'diskType', 'location'])('%s may not', (setting) =>
    expect(accepts({ target: { [setting]: null } })).toBe(false),
  );

  test.each([
    [{ tags: { 'switchback-run': 'x' } }, false],
    [{ tags: { 'a/b': 'x' } }, false],
    [{ tags: { owner: 'x'.repeat(257) } }, false],
    [{ tags: Object.fromEntries(Array.from({ length: 48 }, (_, n) => [`t${n}`, ''])) }, false],
    [{ tags: { owner: 'payroll' } }, true],
    [{ zone: 'a' }, false],
    [{ resourceGroup: 'ends.' }, false],
    [{ diskType: 'UltraSSD_LRS' }, false],
    [{ privateIpAddress: '10.0.0.256' }, false],
  ])('target %j: %s', (target, isFine) => expect(accepts({ target })).toBe(isFine));
});

/** Examples of ids are shortened for people: they are completed here. */
function exampleOf(operation: ItemOperation): Record<string, unknown> {
  const fields: readonly InputField[] = operationInputs[operation];
  return Object.fromEntries(fields.map(({ name, example }) => [name, completed(example)]));
}

function completed(example: unknown): unknown {
  const group = 's/resourceGroups/network/providers/Microsoft.Network';
  return typeof example === 'string' ? example.replace('…', group) : example;
}
