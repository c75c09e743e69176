import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readPlan } from '../../api/plan-text.ts';
import { repositoryRoot } from '../../lab/tools/cache.ts';
import { planSchemaFile, renderPlanSchema } from '../../scripts/plan-schema.ts';

const folder = join(repositoryRoot, 'examples', 'plans');

const HEAD = 'apiVersion: switchback/v1\nkind: RecoveryPlan\nname: shop\n';
const DB = '  - name: db\n    members:\n      - machine: db-01\n';

function problemsOf(text: string): string[] {
  const read = readPlan(text);
  if ('plan' in read) return [];
  return read.problems.map(({ line, column, path, message }) => `${line}:${column} ${path} ${message}`);
}

describe('text of a recovery plan', () => {
  test('of every example is valid', async () => {
    const files = await readdir(folder);
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) {
      expect(`${file} ${problemsOf(await readFile(join(folder, file), 'utf8')).join()}`).toBe(`${file} `);
    }
  });

  test('becomes a plan in seconds, with every default spelled out', () => {
    const step = '        - name: look\n          timeout: 5m\n          wait: 90s\n';
    const read = readPlan(
      `${HEAD}drill: { cleanupAfter: 2h }\ngroups:\n${DB}    steps:\n      after:\n${step}`,
    );
    expect(read).toEqual({
      plan: {
        apiVersion: 'switchback/v1',
        name: 'shop',
        onBusy: 'refuse',
        drill: { cleanupAfterSeconds: 7_200 },
        limits: {},
        steps: { before: [], after: [] },
        groups: [
          {
            name: 'db',
            after: [],
            isConsistent: false,
            members: [{ by: 'machine', machine: 'db-01', steps: { before: [], after: [] } }],
            steps: {
              before: [],
              after: [
                {
                  name: 'look',
                  when: ['test', 'cleanup', 'failover', 'commit', 'reprotect', 'failback', 'reEnable'],
                  isCritical: true,
                  timeoutSeconds: 300,
                  retries: 0,
                  does: { kind: 'wait', seconds: 90 },
                },
              ],
            },
          },
        ],
      },
    });
  });

  test.each([
    [
      'an unknown field',
      `${HEAD}onbusy: queue\ngroups:\n${DB}`,
      ['4:1 onbusy is no field of a recovery plan here'],
    ],
    ['what is missing', HEAD, ['1:1 groups is missing']],
    [
      'another version',
      `apiVersion: v2\nkind: RecoveryPlan\nname: a\ngroups:\n${DB}`,
      ['1:1 apiVersion must be one of switchback/v1'],
    ],
    ['YAML that is none', `${HEAD}groups: [\n`, [expect.stringMatching(/^5:1 {2}\S/)]],
    [
      'a circle of groups',
      `${HEAD}groups:\n${DB}    after: web\n  - name: web\n    after: [db]\n    members: [{ tag: role/web }]\n`,
      ['5:5 groups[0] group "db" waits for itself: db → web → db'],
    ],
    [
      'a step named twice',
      `${HEAD}steps:\n  before: [{ name: a, wait: 1s }]\n  after:\n    - name: a\n      wait: 1s\ngroups:\n${DB}`,
      ['7:7 steps.after[0].name step "a" is named twice'],
    ],
    [
      'a step that does nothing',
      `${HEAD}steps:\n  before: [{ name: a }]\ngroups:\n${DB}`,
      [expect.stringContaining('5:12 steps.before[0] must hold exactly one of manual, command')],
    ],
    [
      'a stranger',
      `${HEAD}steps:\n  after:\n    - name: a\n      probe: { kind: tcp, machine: app, port: 80 }\ngroups:\n${DB}`,
      ['7:27 steps.after[0].probe.machine machine "app" is no member of the plan'],
    ],
    [
      'a number out of bounds',
      `${HEAD}steps:\n  after:\n    - name: a\n      probe: { kind: tcp, machine: db-01, port: 70000 }\ngroups:\n${DB}`,
      ['7:43 steps.after[0].probe.port must be at most 65535'],
    ],
    [
      'a shell line',
      `${HEAD}steps:\n  after:\n    - { name: a, command: { on: site, argv: "rm -rf /" } }\ngroups:\n${DB}`,
      [expect.stringContaining('steps.after[0].command.argv')],
    ],
    [
      'an unsigned address',
      `${HEAD}steps:\n  after:\n    - { name: a, webhook: { url: "http://x/", secret: s } }\ngroups:\n${DB}`,
      [expect.stringContaining('webhook.url must begin with https://')],
    ],
  ])('%s is told where it stands', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test('every problem of a document is told at once, from top to bottom', () => {
    const text = `${HEAD}onBusy: later\ngroups:\n  - name: DB\n    members: []\n`;
    expect(problemsOf(text)).toEqual([
      '4:1 onBusy must be one of refuse, queue',
      '6:5 groups[0].name must be 1-40 lower-case letters, digits, hyphens',
      '7:5 groups[0].members must be at least 1 entries long',
    ]);
  });

  test('has a published schema that says what the product reads', async () => {
    expect(await readFile(planSchemaFile, 'utf8')).toBe(renderPlanSchema());
  });

  test('that multiplies itself by aliases is refused', () => {
    const nines = (entry: string) => `[${Array.from({ length: 9 }, () => entry).join(', ')}]`;
    const levels = Array.from(
      { length: 9 },
      (_, level) => `l${level + 1}: &l${level + 1} ${nines(`*l${level}`)}\n`,
    );
    expect(problemsOf(`l0: &l0 ${nines('x')}\n${levels.join('')}`)).toEqual([
      '1:1  multiplies itself by its aliases',
    ]);
  });
});
