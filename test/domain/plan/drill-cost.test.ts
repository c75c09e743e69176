import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readPlan } from '../../../api/plan-text.ts';
import { costWords, dearestWords, drillCost } from '../../../domain/plan/drill-cost.ts';

const linux = { vmSize: 'Standard_D2s_v5', isWindows: false };
const windows = { ...linux, isWindows: true };
const westeurope = {
  location: 'westeurope',
  prices: [
    { ...linux, perHour: 0.1 },
    { ...windows, perHour: 0.2 },
  ],
};
const northeurope = { location: 'northeurope', prices: [{ ...linux, perHour: 0.11 }] };

test('a drill costs its machines for every hour that has begun, each by its region and system', () => {
  const machines = [
    { machineName: 'web', location: 'westeurope', kind: linux },
    { machineName: 'db', location: 'westeurope', kind: windows },
    { machineName: 'far', location: 'northeurope', kind: linux },
  ];
  const cost = drillCost(machines, [westeurope, northeurope], 2 * 3_600 + 1);
  expect(cost).toEqual({
    hours: 3,
    amount: 1.23,
    machines: [
      { machineName: 'db', amount: 0.6 },
      { machineName: 'far', amount: 0.33 },
      { machineName: 'web', amount: 0.3 },
    ],
    unpriced: [],
  });
});

test('a machine without a price is named, and in no sum', () => {
  const machines = [
    { machineName: 'web', location: 'westeurope', kind: linux },
    { machineName: 'far', location: 'northeurope', kind: windows },
    { machineName: 'odd', location: 'westeurope' },
  ];
  const { amount, unpriced } = drillCost(machines, [westeurope, northeurope], 3_600);
  expect([amount, unpriced]).toEqual([0.1, ['far', 'odd']]);
});

test('a thousand tenths are a hundred, whatever floating point says', () => {
  const machines = Array.from({ length: 1_000 }, (_, n) => ({
    machineName: `m-${n}`,
    location: 'westeurope',
    kind: linux,
  }));
  const cost = drillCost(machines, [westeurope], 3_600);
  expect(cost.amount).toBe(100);
  expect(dearestWords(cost, 'EUR')).toMatch(/^m-0 0\.10 EUR, .* and 990 more$/);
});

test('words never say less than the amount, and at most a hundredth more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), (millionths) => {
      const said = Number.parseFloat(costWords(millionths / 1e6, 'EUR'));
      expect(Math.round(said * 1e6) - millionths).toBeGreaterThanOrEqual(0);
      expect(Math.round(said * 1e6) - millionths).toBeLessThan(1e4);
    }),
  );
  expect(costWords(3.2, 'EUR')).toBe('3.20 EUR');
});

const planWith = (costLimit: string) =>
  readPlan(
    `apiVersion: switchback/v1\nkind: RecoveryPlan\nname: shop\ndrill: { costLimit: ${costLimit} }\ngroups: [{ name: db, members: [{ machine: db }] }]\n`,
  );

test.each([
  ['25 EUR', { amount: 25, currency: 'EUR' }],
  ['"0.50 USD"', { amount: 0.5, currency: 'USD' }],
])('a plan may say that a drill costs at most %s', (text, costLimit) => {
  expect(planWith(text)).toMatchObject({ plan: { drill: { costLimit } } });
});

test.each([
  '25',
  '25 eur',
  'EUR 25',
  '25EUR',
  '0 EUR',
  '0.00 EUR',
  '-1 EUR',
  '1.234 EUR',
  '25 XYZ',
  '1e3 EUR',
])('a plan that says %s is refused once, where it says so', (text) => {
  const read = planWith(text);
  const problems = 'problems' in read ? read.problems : [];
  expect(problems).toEqual([
    {
      line: 4,
      column: 10,
      path: 'drill.costLimit',
      message: expect.stringMatching(/^must be an amount above 0/),
    },
  ]);
});
