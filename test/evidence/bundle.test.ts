/** What is altered in a bundle is found and named; what is not is verified. */
import { describe, expect, test } from '@jest/globals';
import { canonical, leavesOf, type Json } from '../../domain/evidence/canonical.ts';
import { sealRecord, type EvidenceEntry } from '../../domain/evidence/chain.ts';
import { blockOf } from '../../domain/evidence/frame.ts';
import { inScript } from '../../domain/evidence/markup.ts';
import { placeAt, renderPage } from '../../domain/evidence/render.ts';
import { seededRandom } from '../support/random.ts';
import {
  exampleKey,
  fileOf,
  publicKeyOf,
  sampleRecord,
  signerOf,
  SOFTWARE,
  someKey,
  verdictOf,
} from './support/bundle.ts';

const file = fileOf();
const entries = linesOf(file).map((line) => JSON.parse(line) as EvidenceEntry);
const labels = [
  'run',
  'plan',
  'machine 1 `db-01`',
  'machine 2 `web-01`',
  'step 1 `tell-the-desk`',
  'step 2 `allow-the-drill`',
  'step 3 `boot-log`',
  'step 4 `database-answers`',
  'decision 1',
  'cleanup proof',
  'prediction',
];

function linesOf(text: string): readonly string[] {
  const block = blockOf(text);
  if (!('entries' in block)) throw new Error(block.problem);
  return block.entries;
}

/** The file with another text in place of that entry's. */
function withLine(index: number, line: string, from = file): string {
  return from.replace(linesOf(from)[index] ?? '', () => line);
}

function withEntry(index: number, change: Partial<Record<keyof EvidenceEntry, unknown>>): string {
  return withLine(index, inScript(canonical({ ...entries[index], ...change })));
}

describe('a bundle that nobody touched', () => {
  test('is verified, and gives its record back', () => {
    const { seal } = sealRecord(sampleRecord, signerOf(exampleKey), SOFTWARE);
    expect(verdictOf(file)).toEqual({
      verdict: 'verified',
      isKeyTrusted: true,
      keyId: signerOf(exampleKey).keyId,
      head: seal.head,
      software: SOFTWARE,
      record: sampleRecord,
    });
  });

  test('says that its key was compared with none, when none was given', () => {
    expect(verdictOf(file, [])).toMatchObject({ verdict: 'verified', isKeyTrusted: false });
  });

  test('is told apart when another key signed it, and found among several trusted ones', () => {
    const other = publicKeyOf(someKey()).hex;
    const { keyId, publicKey } = signerOf(exampleKey);
    expect(verdictOf(file, [other])).toEqual({ verdict: 'otherKey', keyId });
    expect(verdictOf(file, [other, publicKey])).toMatchObject({ verdict: 'verified', isKeyTrusted: true });
  });

  test('is the same file whenever the same record is sealed', () => {
    expect(fileOf(JSON.parse(JSON.stringify(sampleRecord)) as typeof sampleRecord)).toBe(file);
  });
});

test('a bundle of hundreds of machines and steps is verified, and its last machine named when it is altered', () => {
  const members = Array.from({ length: 250 }, (_, index) => ({
    ...sampleRecord.members[0],
    machineName: `vm-${index + 1}`,
  })) as typeof sampleRecord.members;
  const steps = Array.from({ length: 250 }, () => sampleRecord.steps[3]) as typeof sampleRecord.steps;
  const large = fileOf({ ...sampleRecord, members, steps });
  expect(verdictOf(large).verdict).toBe('verified');
  const altered = large.replace('"machineName":"vm-250"', '"machineName":"vm-251"');
  expect(verdictOf(altered)).toMatchObject({ place: 'machine 250 `vm-251`: machineName' });
});

describe('an altered record', () => {
  test('is told by entry and field, whichever value it is', () => {
    for (const [index, entry] of entries.entries()) {
      for (const [path, value] of leavesOf(entry.body as unknown as Json)) {
        const body = changed(structuredClone(entry.body), path, value);
        const verdict = verdictOf(withEntry(index, { body }));
        expect(verdict).toMatchObject({ verdict: 'altered' });
        // A name that is altered is that of the label too.
        const [label, ...told] = ('place' in verdict ? verdict.place : '').replaceAll('?`', '`').split(': ');
        expect(label).toBe(labels[index]);
        expect(told.join(': ').replace('remaining[0]', 'remaining')).toBe(path);
      }
    }
  });

  test('is told when a field was added or removed', () => {
    const [step] = sampleRecord.steps;
    expect(verdictOf(withEntry(4, { body: { ...step, alsoSeen: 1 } }))).toMatchObject({
      place: 'step 1 `tell-the-desk`: alsoSeen',
    });
    expect(verdictOf(withEntry(4, { body: { ...step, detail: undefined } }))).toMatchObject({
      verdict: 'altered',
      place: expect.stringMatching(/^step 1 `tell-the-desk`: /),
    });
  });

  test('is told by the field of the entry around it', () => {
    const places = (['seq', 'marks', 'hash'] as const).map((field) => {
      const now = field === 'seq' ? 9 : 'ab'.repeat(30) + 'cd'.repeat(2);
      const fits =
        field === 'marks' ? entries[4]?.marks.replace(/./, (digit) => (digit === '0' ? '1' : '0')) : now;
      return verdictOf(withEntry(4, { [field]: fits }));
    });
    expect(places).toMatchObject([
      { place: 'step 1 `tell-the-desk`: seq' },
      { place: 'step 1 `tell-the-desk`: marks' },
      { place: 'step 1 `tell-the-desk`: hash' },
    ]);
    expect(verdictOf(withEntry(4, { previous: '1'.repeat(64) }))).toMatchObject({
      place: 'step 1 `tell-the-desk`: previous',
    });
  });

  test('is told by its first alteration when there are several', () => {
    const twice = withEntry(7, { body: { ...sampleRecord.steps[3], outcome: 'failed' } });
    const both = withLine(2, (linesOf(twice)[2] ?? '').replace('10.9.0.4', '10.9.0.5'), twice);
    expect(verdictOf(both)).toMatchObject({ place: 'machine 1 `db-01`: address' });
  });

  test('is told when entries were removed, repeated or put in another order', () => {
    const lines = linesOf(file);
    const [four = '', five = ''] = [lines[4], lines[5]];
    const turned = file
      .replace(four, () => 'x')
      .replace(five, () => four)
      .replace('\nx,', () => `\n${five},`);
    expect(verdictOf(turned)).toMatchObject({ place: 'entry 4', reason: expect.stringContaining('step 1') });
    expect(verdictOf(file.replace(`${four},\n`, ''))).toMatchObject({ place: 'entry 4' });
    expect(verdictOf(file.replace(`${four},\n`, () => `${four},\n${four},\n`))).toMatchObject({
      place: 'entry 5',
    });
    expect(verdictOf(file.replace(`,\n${lines.at(-1)}`, ''))).toMatchObject({
      place: 'entry 10',
      reason: expect.stringContaining('the seal counts 11'),
    });
  });

  test('is told when an entry is that of another bundle', () => {
    const other = fileOf({ ...sampleRecord, run: { ...sampleRecord.run, startedBy: 'somebody' } });
    const verdict = verdictOf(withLine(4, linesOf(other)[4] ?? ''));
    expect(verdict).toMatchObject({
      place: 'step 1 `tell-the-desk`',
      reason: expect.stringContaining('from somewhere else'),
    });
  });

  test('is told when somebody without the key sealed it again', () => {
    const forged = { ...sampleRecord, run: { ...sampleRecord.run, outcome: 'failed' as const } };
    expect(verdictOf(fileOf(forged, someKey()))).toMatchObject({ verdict: 'otherKey' });
    const bundle = sealRecord(forged, signerOf(someKey()), SOFTWARE);
    const { keyId, publicKey } = signerOf(exampleKey);
    const posing = renderPage({ ...bundle, seal: { ...bundle.seal, keyId, publicKey } }).html;
    expect(verdictOf(posing)).toMatchObject({ verdict: 'altered', place: 'seal' });
  });

  test('is told when the seal or its signature is that of another bundle', () => {
    const ours = sealRecord(sampleRecord, signerOf(exampleKey), SOFTWARE);
    const theirs = sealRecord({ ...sampleRecord, decisions: [] }, signerOf(exampleKey), SOFTWARE);
    const { signature } = theirs.seal;
    expect(verdictOf(renderPage({ ...ours, seal: theirs.seal }).html)).toMatchObject({ place: 'seal: head' });
    expect(verdictOf(renderPage({ ...ours, seal: { ...ours.seal, signature } }).html)).toMatchObject({
      place: 'seal',
    });
    expect(verdictOf(renderPage({ ...ours, seal: { ...ours.seal, entries: 9 } }).html)).toMatchObject({
      place: 'seal: entries',
    });
  });
});

describe('an altered page', () => {
  test('is told by what the altered place shows, piece by piece', () => {
    const page = renderPage(sealRecord(sampleRecord, signerOf(exampleKey), SOFTWARE));
    const body = page.html.indexOf('<body>');
    let [at, before] = [0, ''];
    for (const { html, label } of page.pieces) {
      const middle = at + Math.floor(html.length / 2);
      const isSeen = label === before;
      [at, before] = [at + html.length, label];
      if (middle < body || isSeen) continue;
      const sign = page.html[middle] === 'x' ? 'y' : 'x';
      const altered = page.html.slice(0, middle) + sign + page.html.slice(middle + 1);
      expect(placeAt(page, middle)).toBe(`page, ${label}`);
      expect(verdictOf(altered)).toMatchObject({ verdict: 'altered', place: `page, ${label}` });
    }
  });

  test('names the field that was made to look better', () => {
    expect(verdictOf(file.replace('>861.25 s (', '>61.25 s ('))).toMatchObject({
      place: 'page, run: rtoSeconds.reached',
    });
    expect(verdictOf(file.replace('<bdi>answered</bdi>', '<bdi>mastered</bdi>'))).toMatchObject({
      place: 'page, step 4 `database-answers`: observed.status',
    });
  });

  test('is told when the JSON is another text for the same values', () => {
    expect(verdictOf(file.replace('"body":{"action":"manual"', '"body": {"action":"manual"'))).toMatchObject({
      place: 'page, JSON of step 2 `allow-the-drill`',
    });
    expect(
      verdictOf(file.replace('"body":{"action":"manual"', '"body":{"name":"x","action":"manual"')),
    ).toMatchObject({
      place: 'page, JSON of step 2 `allow-the-drill`',
    });
  });

  test('is told when it is cut, at every length', () => {
    for (let length = 0; length < file.length; length += 97) {
      expect(verdictOf(file.slice(0, length))).toMatchObject({ verdict: 'altered' });
    }
    expect(verdictOf(file.slice(0, -1))).toMatchObject({
      place: 'page, its frame',
      reason: 'the file ends here',
    });
    expect(verdictOf(file.slice(0, file.indexOf('"kind":"step"')))).toMatchObject({
      place: expect.stringMatching(/^(?:after entry 3|step 1.*)$/),
    });
    expect(verdictOf('')).toMatchObject({ place: 'file', reason: 'it holds no record' });
  });

  test('is told when something was added: behind it, before it, or a second record', () => {
    expect(verdictOf(`${file} `)).toMatchObject({ place: 'end of the file' });
    expect(verdictOf(`\ufeff${file}`)).toMatchObject({ verdict: 'altered' });
    const block = file.slice(file.indexOf('<script'), file.indexOf('</head>'));
    expect(verdictOf(file.replace('</head>', () => `${block}</head>`))).toMatchObject({
      place: 'file',
      reason: expect.stringContaining('2 script blocks'),
    });
    expect(verdictOf(file.replace('<main>', '<main><SCRIPT>alert(1)</SCRIPT>'))).toMatchObject({
      place: 'file',
    });
  });
});

test('no flipped bit of a bundle is ever verified', () => {
  const random = seededRandom('flipped bits');
  const bytes = Buffer.from(file, 'utf8');
  for (let round = 0; round < 300; round += 1) {
    const at = random.below(bytes.length);
    const bit = random.below(8);
    const altered = Buffer.from(bytes);
    altered[at] = (altered[at] ?? 0) ^ (1 << bit);
    const verdict = verdictOf(altered);
    if (verdict.verdict !== 'altered' || verdict.place === '') {
      throw new Error(`bit ${bit} of byte ${at} (seed ${random.seed}): ${verdict.verdict}`);
    }
  }
});

/** Another value of the same type, so that the form of the entry still fits. */
function changed<T>(body: T, path: string, value: Json): T {
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  const last = keys.pop() ?? '';
  let node = body as unknown as Record<string, unknown>;
  for (const key of keys) node = node[key] as Record<string, unknown>;
  node[last] = otherThan(value, last);
  return body;
}

const others: Readonly<Record<string, string>> = {
  kind: 'failover',
  action: 'wait',
  outcome: 'undone',
  answer: 'rejected',
  sha256: 'a'.repeat(64),
};

function otherThan(value: Json, key: string): Json {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (Array.isArray(value)) return ['something'];
  return others[key] ?? `${canonical(value).replaceAll('"', '')}?`;
}
