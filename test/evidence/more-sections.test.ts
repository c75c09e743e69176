/** What was added to the record shows on the page only where it is, and is sealed as everything else. */
import { expect, test } from '@jest/globals';
import type { RunRecord } from '../../domain/evidence/record.ts';
import { fileOf, sampleRecord, verdictOf } from './support/bundle.ts';

const error = { code: 'DR_INTERNAL', message: 'the disk was busy', remedy: 'Try again.' } as const;
const failures = [{ startedAt: '2026-11-21T19:00:02.000Z', endedAt: '2026-11-21T19:01:02.000Z', error }];
const [first, ...others] = sampleRecord.members;
const [step, ...steps] = sampleRecord.steps;
if (first === undefined || step === undefined) throw new Error('the sample has both');
const record: RunRecord = {
  ...sampleRecord,
  members: [
    {
      ...first,
      failures,
      verification: {
        job: 'verify-1',
        endedAt: '2026-11-20T10:00:00.000Z',
        pointId: 'p000011',
        comparedBytes: 68_719_476_736,
        changedBytes: 4_096,
        differingBytes: 0,
      },
      bootLog: {
        at: '2026-11-21T19:14:00.000Z',
        bytes: 31,
        sha256: 'e'.repeat(64),
        text: 'Linux\n<b>login:</b>\u001b[2J ok\n',
      },
    },
    ...others.map((member) => ({
      ...member,
      bootLog: { at: '2026-11-21T19:14:00.000Z', problem: 'Azure does not answer' },
    })),
  ],
  steps: [{ ...step, failures }, ...steps],
};
const file = fileOf(record);

test('a record with all of it is verified and given back', () => {
  expect(verdictOf(file)).toMatchObject({ verdict: 'verified', record });
});

test('the page shows failed tries, verifications and boot logs, with signs that steer a terminal by their number', () => {
  expect(file).toContain('<h2>Failed tries</h2>');
  expect(file.split('the disk was busy')).toHaveLength(5);
  expect(file).toContain('p000011');
  expect(file).toContain('&lt;b&gt;login:&lt;/b&gt;<span class="sign">⟨U+001B⟩</span>[2J ok');
  expect(file).toContain('Azure does not answer');
});

test('a page without any of it is what it always was', () => {
  for (const title of ['Failed tries', 'Verifications', 'Boot logs']) expect(fileOf()).not.toContain(title);
});

test.each([
  ['a line of a boot log', 'login:&lt;/b&gt;', 'logout:&lt;/b&gt;', /machine 1 `db-01`: bootLog\.text/],
  ['a figure of a verification', '<bdi>4096</bdi>', '<bdi>0</bdi>', /verification\.changedBytes/],
  ['the error of a failed try', '<bdi>Try again.</bdi>', '<bdi>Relax.</bdi>', /failures\[0\]\.error\.remedy/],
])('%s that was altered on the page is named', (_, from, to, what) => {
  expect(JSON.stringify(verdictOf(file.replace(from, to)))).toMatch(what);
});

test('a failed try that was altered in the JSON is named', () => {
  const altered = file.replace('"message":"the disk was busy"', '"message":"the disk was gone"');
  expect(JSON.stringify(verdictOf(altered))).toMatch(/failures\[0\]\.error\.message/);
});
