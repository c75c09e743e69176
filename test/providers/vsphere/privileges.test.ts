import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { privilegeIds, type PrivilegePurpose, privileges } from '../../../domain/privileges.ts';
import type { VCenterSession } from '../../../domain/ports.ts';
import { repositoryRoot } from '../../../lab/tools/cache.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { renderVCenterRoleDoc } from '../../../scripts/vcenter-role-doc.ts';
import { type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';

const purposes = Object.keys(privileges) as PrivilegePurpose[];

test('docs/vcenter-role.md names exactly the privileges that preflight asks for', async () => {
  const page = await readFile(join(repositoryRoot, 'docs/vcenter-role.md'), 'utf8');
  expect(page).toBe(renderVCenterRoleDoc());
});

test.each(purposes)('%s names each privilege once, by a whole id', (purpose) => {
  const ids = privileges[purpose].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[A-Z][A-Za-z]+(\.[A-Z][A-Za-z]+)+$/);
});

describe('the privileges of an account', () => {
  let practice: PracticeVCenter;
  let vsphere: VSphereClient;
  let vcenter: VCenterSession;
  beforeAll(async () => {
    practice = await startPracticeVCenter([{ name: 'web' }]);
    vsphere = createVSphere();
    vcenter = vsphere.session(practice.connection);
  });
  afterAll(async () => {
    await vsphere.close();
    await practice.stop();
  });

  test.each(purposes)('are all held by an administrator: %s', async (purpose) => {
    const id = await practice.machineId('web');
    expect(await vcenter.missingPrivileges(id, privilegeIds(purpose, 'machine'))).toEqual([]);
    expect(await vcenter.missingPrivileges(null, privilegeIds(purpose, 'root'))).toEqual([]);
  });

  test('that are missing are named in the order asked for', async () => {
    const asked = ['Z.Unknown', 'System.Read', 'A.Unknown'];
    expect(await vcenter.missingPrivileges(null, asked)).toEqual(['Z.Unknown', 'A.Unknown']);
  });
});
