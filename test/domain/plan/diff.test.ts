import { describe, expect, test } from '@jest/globals';
import { readPlan } from '../../../api/plan-text.ts';
import { changesInShort, planDiff } from '../../../domain/plan/diff.ts';
import type { RecoveryPlan } from '../../../domain/plan/plan.ts';
import { planChangeLines } from '../../../cli/render/plan-changes.ts';

const SHOP = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
drill: { cleanupAfter: 2h }
groups:
  - name: db
    members:
      - machine: db-01
      - tag: tier/db
    steps:
      after:
        - { name: first, wait: 90s }
        - { name: second, wait: 1m }
        - name: look
          timeout: 5m
          probe: { kind: tcp, machine: db-01, port: 5432 }
  - name: web
    after: db
    members:
      - machine: web-01
        steps:
          before:
            - { name: ask, manual: { text: Is it ready? } }
`;

function plan(text: string): RecoveryPlan {
  const read = readPlan(text);
  if ('plan' in read) return read.plan;
  throw new Error(JSON.stringify(read.problems));
}

function told(...replacements: readonly (readonly [string, string])[]): string[] {
  const changed = replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`no ${from}`);
    return text.replace(from, to);
  }, SHOP);
  return planChangeLines(planDiff(plan(SHOP), plan(changed))).map((line) => line.trim());
}

describe('the difference of two plans', () => {
  test('is none for comments, other writing of the same, and another order of members', () => {
    expect(
      told(
        ['name: shop', '# ours\nname: shop'],
        ['2h', '120m'],
        ['after: db', 'after: [db]'],
        ['      - machine: db-01\n      - tag: tier/db\n', '      - tag: tier/db\n      - machine: db-01\n'],
      ),
    ).toEqual([]);
  });

  test('names settings, groups, members and steps by what was and what is', () => {
    expect(
      told(
        ['2h }', '4h, costLimit: 25 EUR }'],
        ['after: db', 'after: [db]\n    consistent: true'],
        ['      - tag: tier/db\n', '      - tag: tier/database\n'],
        ['port: 5432', 'port: 5433'],
        ['timeout: 5m', 'timeout: 10m\n          critical: false'],
        ['Is it ready?', 'Is it up?'],
      ),
    ).toEqual([
      '~ plan shop',
      'drill.cleanupAfter: 2h → 4h',
      'drill.costLimit: - → 25 EUR',
      '~ group web',
      'consistent: false → true',
      '- member tag tier/db (group db)',
      '+ member tag tier/database (group db)',
      '~ step look (after group db)',
      'critical: true → false',
      'timeout: 5m → 10m',
      'probe.port: 5432 → 5433',
      '~ step ask (before machine web-01)',
      'manual.text: Is it ready? → Is it up?',
    ]);
  });

  test('knows a machine that changed its group, and a step that changed its place, its order or what it does', () => {
    expect(
      told(
        ['      - machine: db-01\n', ''],
        ['      - machine: web-01\n', '      - machine: db-01\n      - machine: web-01\n'],
      ),
    ).toEqual(['~ member db-01 (group web)', 'group: db → web']);
    expect(told(['      after:\n', '      before:\n'])).toEqual(
      ['first', 'second', 'look'].flatMap((name) => [
        `~ step ${name} (before group db)`,
        'place: after group db → before group db',
      ]),
    );
    const [first, second] = [
      '        - { name: first, wait: 90s }\n',
      '        - { name: second, wait: 1m }\n',
    ];
    expect(told([`${first}${second}`, `${second}${first}`])).toEqual([
      '~ order after group db',
      'steps: first, second, look → second, first, look',
    ]);
  });

  test('tells a step that became another kind, and its undo', () => {
    expect(
      told(['{ name: first, wait: 90s }', '{ name: first, manual: { text: Go? }, undo: { wait: 5s } }']),
    ).toEqual([
      '~ step first (after group db)',
      'wait: 90s → -',
      'manual.text: - → Go?',
      'manual.approvers: - → []',
      'manual.onSilence: - → wait',
      'undo.wait: - → 5s',
    ]);
  });

  test('is counted in short', () => {
    const changes = planDiff(
      plan(SHOP),
      plan(
        SHOP.replace('2h', '3h')
          .replace('      - tag: tier/db\n', '')
          .replace('wait: 90s', 'wait: 91s')
          .replace('wait: 1m', 'wait: 2m'),
      ),
    );
    expect(changesInShort(changes)).toBe('settings changed, 1 member removed, 2 steps changed');
    expect(changesInShort([])).toBe('');
  });
});
