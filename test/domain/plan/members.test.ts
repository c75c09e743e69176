import { describe, expect, test } from '@jest/globals';
import { driftOf, membershipOf, type Candidate } from '../../../domain/plan/members.ts';
import type { MemberSelector, RecoveryPlan } from '../../../domain/plan/plan.ts';

const none = { before: [], after: [] };

function plan(groups: Readonly<Record<string, readonly MemberSelector[]>>): RecoveryPlan {
  return {
    apiVersion: 'switchback/v1',
    name: 'shop',
    groups: Object.entries(groups).map(([name, members]) => ({
      name,
      after: [],
      members,
      steps: none,
      isConsistent: false,
    })),
    steps: none,
    onBusy: 'refuse',
    drill: { cleanupAfterSeconds: 3_600 },
    limits: {},
  };
}

function candidate(name: string, over: Partial<Candidate> = {}): Candidate {
  return { machineId: `id-${name}`, name, tags: [], folder: '/dc/vm', isProtected: true, ...over };
}

const machine = (name: string): MemberSelector => ({ by: 'machine', machine: name, steps: none });
const names = (members: readonly { readonly name: string }[]) => members.map(({ name }) => name);

describe('members of a plan', () => {
  const estate = [
    candidate('db', { tags: ['tier/db'] }),
    candidate('app', { folder: '/dc/vm/shop/app' }),
    candidate('shopping', { folder: '/dc/vm/shopping' }),
  ];

  test('are found by name, id, tag, and folder with what lies below it', () => {
    const chosen = plan({
      one: [{ by: 'tag', tag: 'tier/db' }],
      two: [{ by: 'folder', folder: '/dc/vm/shop' }, machine('id-shopping')],
    });
    const { members, problems } = membershipOf(chosen, estate);
    expect(problems).toEqual([]);
    expect(members.map(({ name, group }) => `${group} ${name}`)).toEqual([
      'one db',
      'two app',
      'two shopping',
    ]);
  });

  test('are told when they are missing, ambiguous, not protected, or in two groups', () => {
    const chosen = plan({
      one: [machine('gone'), machine('twin'), machine('bare'), machine('db')],
      two: [{ by: 'tag', tag: 'tier/db' }, machine('app'), machine('app')],
    });
    const { members, problems } = membershipOf(chosen, [
      ...estate,
      candidate('twin'),
      candidate('twin', { machineId: 'id-twin-2' }),
      candidate('bare', { isProtected: false }),
    ]);
    expect(problems.map(({ selector, reason }) => `${selector}: ${reason}`)).toEqual([
      'gone: selects no machine',
      'twin: is the name of 2 machines: use the id',
      'bare: machine "bare" is not protected',
      'tag tier/db: machine "db" is in group "one" already',
    ]);
    expect(names(members)).toEqual(['db', 'app']);
  });

  test('that a tag or folder would bring, and no plan has, have drifted', () => {
    const chosen = plan({ one: [{ by: 'tag', tag: 'tier/db' }, machine('app')] });
    const { members } = membershipOf(chosen, estate);
    const later = [...estate, candidate('db-2', { tags: ['tier/db'] }), candidate('other')];
    expect(names(driftOf([{ plan: chosen, members }], later))).toEqual(['db-2']);
    expect(driftOf([{ plan: chosen, members: membershipOf(chosen, later).members }], later)).toEqual([]);
  });
});
