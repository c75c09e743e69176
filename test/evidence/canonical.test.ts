import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonical, leavesOf, wellFormed } from '../../domain/evidence/canonical.ts';

test('canonical JSON is that of RFC 8785, section 3.2', () => {
  const given = JSON.parse(String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`) as unknown;
  expect(canonical(given)).toBe(
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
  const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
  const sorted = Object.keys(
    JSON.parse(canonical(Object.fromEntries(keys.map((key) => [key, 0])))) as object,
  );
  // "1" comes first whenever an object is made: the order of the text is what counts.
  expect(canonical(Object.fromEntries(keys.map((key) => [key, 0])))).toBe(
    '{"\\r":0,"1":0,"\u0080":0,"\u00f6":0,"\u20ac":0,"\u{1f600}":0,"\ufb33":0}',
  );
  expect(sorted).toHaveLength(keys.length);
});

test('what JSON cannot hold is refused, not written somehow', () => {
  for (const value of [NaN, Infinity, '\ud800', { '\udc00': 1 }, () => 0, undefined]) {
    expect(() => canonical(value)).toThrow(RangeError);
  }
});

test('the order in which keys were set changes nothing, and the text is that very value again', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const known = wellFormed(JSON.parse(JSON.stringify(value)));
      const text = canonical(known);
      expect(JSON.parse(text)).toEqual(known);
      expect(canonical(turned(known))).toBe(text);
    }),
  );
});

function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, turned(inner)]),
  );
}

test('every value has a path of its own', () => {
  expect(leavesOf({ b: { c: [1, { d: 'x' }], e: [] }, a: null })).toEqual([
    ['a', null],
    ['b.c[0]', 1],
    ['b.c[1].d', 'x'],
    ['b.e', []],
  ]);
});
