/** What the ground story stands on: a practice ground with the machines that the docs name. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contract } from '../../../api/contract.ts';
import { installApplication, type Application } from '../../../lab/application.ts';
import { waitFor } from '../../../lab/wait.ts';
import { blobNames } from '../../../domain/names.ts';
import { asId, type DiskId, type ProtectedItemId } from '../../../domain/ids.ts';
import type { JobDecision } from '../../../domain/job.ts';
import { vaultStorage } from '../../../workers/ports.ts';
import { Flow } from '../../e2e/support/flow.ts';
import { startPractice, type Practice } from '../../support/harness.ts';

const POLICY = 'gold';
const SHOP: Readonly<Record<string, Application>> = {
  'shop-db-01': { name: 'database', tcp: [5432] },
  'shop-app-01': { name: 'application', tcp: [9000] },
  'shop-web-01': { name: 'web', http: [{ port: 8080, pages: { '/health': 'shop is open' } }] },
};
const WAITS_WITHIN_MS = 120_000;
const WRITTEN_PER_SECOND = 64 * 1024;
const BEHIND_MS = 3_000;

const ASKING = `apiVersion: switchback/v1
kind: RecoveryPlan
name: asking
groups:
  - name: only
    members: [{ machine: web-02 }]
    steps:
      before:
        - name: may-it-begin
          when: [test]
          timeout: 1h
          manual: { text: May it begin? }
`;

/** Its first step cannot be carried out as the plan has it. */
const SWITCHING = `apiVersion: switchback/v1
kind: RecoveryPlan
name: switching
groups:
  - name: only
    members: [{ machine: web-02 }]
    steps:
      before:
        - name: switch-dns
          when: [test]
          command: { on: configurationServer, argv: [/nonexistent/switch-dns] }
`;

export class GroundStage {
  readonly practice: Practice;
  /** For files of the story. */
  readonly folder: string;
  /** Device key of the last disk of web-01. */
  readonly thirdDisk: string;
  job = '';
  olderPoint = '';
  itemKey = '';
  segments: readonly [string, string] = ['', ''];
  readonly #flow: Flow;

  private constructor(practice: Practice, folder: string, thirdDisk: string) {
    this.practice = practice;
    this.folder = folder;
    this.thirdDisk = thirdDisk;
    this.#flow = new Flow(practice, 'web-01');
  }

  static async open(seed: number): Promise<GroundStage> {
    const disk = { mib: 16, filesystem: 'ext4', seed } as const;
    const practice = await startPractice({
      seed,
      answeringGuests: true,
      machines: [
        { name: 'web-01', poweredOn: true, disks: [disk, { mib: 4 }, { mib: 4 }] },
        ...['web-02', ...Object.keys(SHOP)].map((name) => ({
          name,
          poweredOn: true,
          disks: [disk],
        })),
      ],
    });
    try {
      const { disks } = await practice.lab.guest.machine('web-01');
      const folder = await mkdtemp(join(tmpdir(), 'switchback-docs-'));
      const stage = new GroundStage(practice, folder, String(disks.at(-1)?.deviceKey));
      await stage.#prepare();
      return stage;
    } catch (error) {
      await practice.stop();
      throw error;
    }
  }

  /** What a step does in place of what the plan says. */
  get stepFile(): string {
    return join(this.folder, 'switch-dns.yaml');
  }

  async close(): Promise<void> {
    await this.practice.stop();
    await rm(this.folder, { recursive: true });
  }

  async must(...args: string[]): Promise<void> {
    await this.#flow.must(...args);
  }

  // ------------------------------------------------------------ what a scene begins with

  async newestJobOf(item: string): Promise<void> {
    const { items } = await this.practice.api.call(contract.listJobs, { query: { item, limit: 1 } });
    this.job = items[0]?.id ?? '';
  }

  async newestRunOf(plan: string): Promise<void> {
    this.job = await waitFor(
      async () => {
        const { items } = await this.practice.api.call(contract.listJobs, { query: { limit: 100 } });
        const run = items.find(({ kind, subject }) => kind.endsWith('Plan') && subject === plan);
        return run?.id === this.job ? undefined : run?.id;
      },
      { what: `a new run of ${plan}`, withinMs: WAITS_WITHIN_MS },
    );
  }

  /** A drill of web-01 whose import takes so long that somebody can decide about it. */
  async beginSlowDrill(ms: number): Promise<void> {
    await this.importsTake(ms);
    const { isolatedSubnetId } = this.practice.lab.addresses;
    this.job = await this.#flow.start('item', 'test-failover', 'web-01', '--subnet', isolatedSubnetId);
    await this.#flow.taskIs(this.job, 'disks', ['inProgress']);
  }

  async importsTake(importMs: number): Promise<void> {
    await this.practice.lab.azure.client.post('/_lab/settings', { importMs });
  }

  /** A drill that waits for a person. */
  async askingDrill(): Promise<void> {
    await this.importsTake(0);
    await this.#drill('asking');
    await this.waitsFor('approve');
  }

  /** A drill whose step has failed; a file says what to do in its place. */
  async switchingDrill(): Promise<void> {
    await this.#drill('switching');
    await this.waitsFor('retry');
  }

  async waitsFor(decision: JobDecision): Promise<void> {
    const isOffered = async () => {
      const job = await this.#flow.job(this.job);
      return job.state === 'waitingForInput' && job.choices?.some((choice) => choice.decision === decision);
    };
    await waitFor(isOffered, { what: `job ${this.job} to offer ${decision}`, withinMs: WAITS_WITHIN_MS });
  }

  async endsAndIsCleanedUp(plan: string): Promise<void> {
    await this.#flow.succeeds(this.job);
    await this.must('plan', 'run', plan, 'cleanup', '--wait');
  }

  /** Its machine cannot be made, and somebody has locked its group. */
  async failoverThatCannotBeUndone(): Promise<void> {
    const { client } = this.practice.lab.azure;
    const failOperation = {
      code: 'InternalExecutionError',
      message: 'An internal execution error occurred.',
    };
    await client.post('/_lab/faults', { method: 'PUT', path: '/virtualMachines/web-01', failOperation });
    const locked = { status: 409, code: 'ScopeLocked', message: 'Somebody has locked the group.' };
    await client.post('/_lab/faults', { method: 'DELETE', path: '/resourcegroups/', ...locked, count: 100 });
    this.job = await this.#flow.start('item', 'failover', 'web-01', '--yes');
    await this.waitsFor('rollBack');
    await this.must('job', 'cancel', this.job, '--mode', 'roll-back');
    await this.waitsFor('abandon');
  }

  async noFaults(): Promise<void> {
    await this.practice.lab.azure.client.delete('/_lab/faults');
  }

  async chooseOlderPoint(item: string): Promise<void> {
    const query = { limit: 2 };
    const { items } = await this.practice.api.call(contract.listRecoveryPoints, {
      params: { id: item },
      query,
    });
    this.olderPoint = items.at(-1)?.pointId ?? '';
  }

  /** Two segments of a disk, one after the other, and the sealed key, as somebody downloads them who has no server. */
  async downloadSegments(machine: string): Promise<void> {
    const { guest } = this.practice.lab;
    const { spec } = await new Flow(this.practice, machine).item();
    const storage = await vaultStorage(await this.practice.configuration());
    const key = blobNames.key(asId<ProtectedItemId>(spec?.itemId ?? ''));
    const journal = blobNames.journalPrefix(asId<DiskId>(spec?.disks[0]?.diskId ?? ''));
    const download = async (blob: string, name: string): Promise<string> => {
      const found = await storage.get(blob);
      const file = join(this.folder, name);
      if (found !== null) await writeFile(file, found.body);
      return found === null ? '' : file;
    };
    // What is applied is removed: segments lie there together only while the recovery site is behind.
    this.practice.delayStorage([{ method: 'PUT', path: /\/replica\//, ms: BEHIND_MS }]);
    await guest.startWorkload({ machine, seed: 1, bytesPerSecond: WRITTEN_PER_SECOND });
    const downloaded = await waitFor(
      async () => {
        const segments = (await Array.fromAsync(storage.list(journal))).map(({ name }) => name);
        const [first, second] = segments.toSorted().slice(-2);
        if (first === undefined || second === undefined) return undefined;
        const files = [await download(first, 'first.seg'), await download(second, 'second.seg')] as const;
        return files.includes('') ? undefined : files;
      },
      { what: `two segments of ${machine}`, withinMs: WAITS_WITHIN_MS },
    );
    this.practice.delayStorage([]);
    await guest.stopWorkload(machine);
    this.itemKey = await download(key, 'web-01.json');
    this.segments = downloaded;
  }

  /** Applications are installed, machines protected, the plan applied. */
  async openShop(): Promise<void> {
    for (const [machine, application] of Object.entries(SHOP)) {
      await installApplication(this.practice.lab.guest, machine, application);
      await this.#protect(machine);
    }
    await this.must('plan', 'apply', 'examples/plans/shop.yaml');
  }

  async #prepare(): Promise<void> {
    await this.#flow.addVCenter();
    await this.must('policy', 'create', POLICY, '--interval', '5s', '--retention', '1h');
    await this.#protect('web-02');
    for (const [name, text] of Object.entries({ asking: ASKING, switching: SWITCHING })) {
      const file = join(this.folder, `${name}.yaml`);
      await writeFile(file, text);
      await this.must('plan', 'apply', file);
    }
    await writeFile(this.stepFile, 'wait: 1s\n');
  }

  async #drill(plan: string): Promise<void> {
    const { isolatedSubnetId } = this.practice.lab.addresses;
    this.job = await this.#flow.start('plan', 'run', plan, 'test', '--subnet', isolatedSubnetId);
  }

  async #protect(machine: string): Promise<void> {
    const flow = new Flow(this.practice, machine);
    await flow.succeeds(await flow.protect(POLICY));
  }
}
