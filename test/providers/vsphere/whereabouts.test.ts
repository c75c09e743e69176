import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { DiscoveredMachine } from '../../../domain/machine.ts';
import { Secret, type VCenterSession } from '../../../domain/ports.ts';
import { tagsOf, withTags } from '../../../activities/vsphere/machine-tags.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { inActivity } from '../../activities/support/in-activity.ts';
import { codeOf, collect, type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';

let practice: PracticeVCenter;
let vsphere: VSphereClient;
let vcenter: VCenterSession;
beforeAll(async () => {
  practice = await startPracticeVCenter([
    { name: 'db', folder: 'shop/data', tags: ['tier/db', 'site/Köln Süd'] },
    { name: 'web', folder: 'shop', tags: ['tier/web'] },
    { name: 'loose' },
  ]);
  vsphere = createVSphere();
  vcenter = vsphere.session(practice.connection);
});
afterAll(async () => {
  await vsphere.close();
  await practice.stop();
});
beforeEach(() => practice.lab('POST', 'tagging', { status: 0 }));

const machines = async () =>
  new Map((await collect(vcenter.listMachines())).flat().map((machine) => [machine.name, machine]));

describe('where machines lie', () => {
  test('is told from the datacenter down', async () => {
    const found = await machines();
    expect([...found].map(([name, { folder }]) => `${name} ${folder}`).sort()).toEqual([
      'db /DC0/vm/shop/data',
      'loose /DC0/vm',
      'web /DC0/vm/shop',
    ]);
  });
});

describe('tags of machines', () => {
  const tagsByName = async () => {
    const [found, tags] = [await machines(), await vcenter.machineTags()];
    return Object.fromEntries(
      [...found.values()].map(({ name, moRef }: DiscoveredMachine) => [name, tags.get(moRef)]),
    );
  };

  test('are told as category/tag, and follow what an administrator changes', async () => {
    expect(await tagsByName()).toEqual({
      db: ['site/Köln Süd', 'tier/db'],
      web: ['tier/web'],
      loose: undefined,
    });
    await practice.lab('POST', 'tags', { machine: 'loose', tags: ['tier/web'] });
    await practice.lab('POST', 'tags', { machine: 'web', tags: [] });
    expect(await tagsByName()).toMatchObject({ web: undefined, loose: ['tier/web'] });
  });

  test.each([401, 403, 404, 503])('are one error when the REST API answers %d', async (status) => {
    await practice.lab('POST', 'tagging', { status });
    const failure = (await vcenter.machineTags().catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'DR_VCENTER_TAGS_UNREADABLE' });
    expect(failure.message).toContain(`POST /rest/com/vmware/cis/session was answered with HTTP ${status}`);
  });

  test('that cannot be read are absent from a discovery, which says why and logs it', async () => {
    const found = (await machines()).get('db');
    if (found === undefined) throw new Error('no machine');
    const logged: string[] = [];
    const look = () =>
      inActivity(() => tagsOf(vcenter, new AbortController().signal), {
        onWarning: (line) => logged.push(line),
      });
    const good = await look();
    expect(withTags(found, good.tags).tags).toEqual(['site/Köln Süd', 'tier/db']);
    expect(logged).toEqual([]);
    await practice.lab('POST', 'tagging', { status: 403 });
    const refused = await look();
    expect(withTags(found, refused.tags)).not.toHaveProperty('tags');
    expect(refused.tagsProblem).toMatchObject({ code: 'DR_VCENTER_TAGS_UNREADABLE' });
    expect(logged).toEqual([refused.tagsProblem?.message]);
  });

  test('are not asked for with a password that is wrong, and the password is in no error', async () => {
    const password = new Secret('not the right one');
    const other = createVSphere();
    const failure = await other
      .session({ ...practice.connection, password })
      .machineTags()
      .catch((error: unknown) => error as Error);
    await other.close();
    expect(failure).toMatchObject({ code: 'DR_VCENTER_TAGS_UNREADABLE' });
    expect(JSON.stringify([failure, (failure as Error).message, (failure as Error).cause])).not.toContain(
      'right',
    );
  });

  test('that nobody waits for any more end with the reason', async () => {
    expect(await codeOf(vcenter.machineTags(AbortSignal.abort(new Error('enough'))))).toBe('enough');
  });
});
