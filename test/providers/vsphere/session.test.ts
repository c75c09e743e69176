import { createServer, type Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { asId, type VCenterId } from '../../../domain/ids.ts';
import { Secret, type VCenterConnection } from '../../../domain/ports.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { codeOf, collect, PASSWORD, type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';
import { selfSigned } from './self-signed.ts';

const MACHINES = 130;
const names = Array.from({ length: MACHINES }, (_, index) => `vm-${String(index).padStart(3, '0')}`);

let practice: PracticeVCenter;
let vsphere: VSphereClient;
beforeAll(async () => {
  practice = await startPracticeVCenter(names.map((name) => ({ name })));
  vsphere = createVSphere();
});
afterEach(() => practice.lab('DELETE', 'faults'));
afterAll(async () => {
  await vsphere.close();
  await practice.stop();
});

const session = () => vsphere.session(practice.connection);
const killSessions = () => practice.lab('POST', 'sessions/kill');

async function withVSphere<T>(work: (other: VSphereClient) => Promise<T>): Promise<T> {
  const other = createVSphere();
  try {
    return await work(other);
  } finally {
    await other.close();
  }
}

async function failureOf(connection: Partial<VCenterConnection>): Promise<Error & { readonly code: string }> {
  return withVSphere((other) =>
    other
      .session({ ...practice.connection, ...connection })
      .about()
      .then(
        () => Promise.reject(new Error('it succeeded')),
        (error: Error & { readonly code: string }) => error,
      ),
  );
}

describe('first contact', () => {
  test('shows the certificate without trusting it', async () => {
    const shown = await vsphere.fetchCertificate(practice.url);
    expect(shown.sha256).toBe(practice.connection.certificate.sha256);
    expect(shown.pem).toContain('BEGIN CERTIFICATE');
    expect(Date.parse(shown.notAfter)).toBeGreaterThan(Date.now());
  });

  test('names version and instance of the vCenter', async () => {
    const about = await session().about();
    expect(about).toMatchObject({ name: expect.stringContaining('vCenter'), version: '8.0.2' });
    expect(about.instanceUuid).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('with a wrong password ends in DR_VCENTER_CREDENTIALS and keeps the password to itself', async () => {
    const error = await failureOf({ password: new Secret('wrong horse') });
    expect(error.code).toBe('DR_VCENTER_CREDENTIALS');
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('wrong horse');
  });

  test('with a vCenter that is down ends in DR_VCENTER_UNREACHABLE with the system’s reason', async () => {
    const error = await failureOf({ url: 'https://127.0.0.1:1' });
    expect(error).toMatchObject({ code: 'DR_VCENTER_UNREACHABLE', context: { reason: 'ECONNREFUSED' } });
    expect(await codeOf(vsphere.fetchCertificate('https://127.0.0.1:1'))).toBe('DR_VCENTER_UNREACHABLE');
  });
});

describe('a peer with another certificate', () => {
  let server: Server;
  let received = 0;
  beforeAll(async () => {
    server = createServer(await selfSigned(), (socket) => {
      socket.on('data', (bytes) => (received += bytes.length));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.close();
  });

  test('is refused with both fingerprints and receives not one byte', async () => {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const actual = await vsphere.fetchCertificate(url);
    const error = await failureOf({ url });
    expect(error).toMatchObject({
      code: 'DR_VCENTER_CERTIFICATE_CHANGED',
      context: { url, actual: actual.sha256, pinned: practice.connection.certificate.sha256 },
    });
    expect(received).toBe(0);
  });
});

describe('a session', () => {
  test('is shared by all callers of a process, and ended by close', async () => {
    await killSessions();
    await withVSphere(async (other) => {
      const shared = other.session(practice.connection);
      await Promise.all(Array.from({ length: 8 }, () => shared.about()));
      expect(other.session({ ...practice.connection })).toBe(shared);
    });
    expect(await killSessions()).toEqual({ killed: 0 });

    await withVSphere(async (other) => {
      const shared = other.session(practice.connection);
      await Promise.all(Array.from({ length: 8 }, () => shared.about()));
      expect(await killSessions()).toEqual({ killed: 1 });
    });
  });

  test('is replaced when the vCenter is registered with another password', async () => {
    await withVSphere(async (other) => {
      const first = other.session({ ...practice.connection, password: new Secret('old') });
      expect(await codeOf(first.about())).toBe('DR_VCENTER_CREDENTIALS');
      expect(await codeOf(other.session(practice.connection).about())).toBe('succeeded');
    });
  });

  test('refuses calls after close', async () => {
    const other = createVSphere();
    const closed = other.session(practice.connection);
    await other.close();
    expect(await codeOf(closed.about())).toBe('DR_VCENTER_UNREACHABLE');
  });

  test('that vCenter ended is opened again for the next call', async () => {
    const id = await practice.machineId('vm-000');
    await session().getMachine(id);
    await killSessions();
    expect(await session().getMachine(id)).toMatchObject({ name: 'vm-000' });
    await killSessions();
    expect(await session().powerState(id)).toBe('poweredOff');
  });

  test('that is lost again and again ends in DR_VCENTER_UNREACHABLE, not in a loop', async () => {
    const id = await practice.machineId('vm-000');
    await practice.lab('POST', 'faults', { method: 'FindByUuid', faultType: 'NotAuthenticated' });
    expect(await codeOf(session().getMachine(id))).toBe('DR_VCENTER_UNREACHABLE');
  });

  test('without a privilege ends in DR_VCENTER_NO_PERMISSION', async () => {
    const id = await practice.machineId('vm-000');
    await practice.lab('POST', 'faults', { method: 'FindByUuid', faultType: 'NoPermission' });
    const error = await session()
      .getMachine(id)
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'DR_VCENTER_NO_PERMISSION',
      context: { vcenter: asId<VCenterId>('practice'), attempted: `describe machine ${id}` },
    });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(PASSWORD);
  });
});

describe('the inventory', () => {
  test('is listed in pages of at most 100 machines', async () => {
    const pages = await collect(session().listMachines());
    expect(pages.map((page) => page.length)).toEqual([100, 30]);
    expect(
      pages
        .flat()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(names);
  });

  test('is listed completely, each machine once, when the session is lost in the middle', async () => {
    const seen: string[] = [];
    for await (const page of session().listMachines()) {
      if (seen.length === 0) await killSessions();
      seen.push(...page.map(({ name }) => name));
    }
    expect(seen.toSorted()).toEqual(names);
  });

  test('stops being listed when the caller aborts, with the caller’s reason', async () => {
    const controller = new AbortController();
    const listing = async () => {
      for await (const page of session().listMachines(controller.signal)) {
        expect(page.length).toBe(100);
        controller.abort(new Error('enough'));
      }
    };
    await expect(listing()).rejects.toThrow('enough');
  });

  test('may be left early and listed again', async () => {
    for await (const page of session().listMachines()) {
      expect(page.length).toBe(100);
      break;
    }
    expect((await collect(session().listMachines())).flat()).toHaveLength(MACHINES);
  });

  test('knows no machine by an id that does not exist', async () => {
    const id = asId<Awaited<ReturnType<PracticeVCenter['machineId']>>>(
      '00000000-0000-0000-0000-000000000000',
    );
    expect(await codeOf(session().getMachine(id))).toBe('DR_MACHINE_UNKNOWN');
    expect(await codeOf(session().powerState(id))).toBe('DR_MACHINE_UNKNOWN');
  });
});

test('a replaced certificate is refused from the next connection on, until it is pinned anew', async () => {
  const rotated = (await practice.lab('POST', 'certificate/rotate')) as { certificateSha256: string };
  const error = await failureOf({});
  expect(error).toMatchObject({
    code: 'DR_VCENTER_CERTIFICATE_CHANGED',
    context: { actual: rotated.certificateSha256, pinned: practice.connection.certificate.sha256 },
  });
  const certificate = await vsphere.fetchCertificate(practice.url);
  await withVSphere(async (other) => {
    expect(await codeOf(other.session({ ...practice.connection, certificate }).about())).toBe('succeeded');
  });
});
