/** Commands of the docs that move machines, in the order of a story on one practice ground. */
import { errorCatalogue } from '../../../domain/errors.ts';
import type { GroundStage } from './ground-stage.ts';

export interface GroundScene {
  /** As the docs have it. */
  readonly line: string;
  /** What stands in the docs for a value of the reader's, and what takes its place. */
  readonly fill?: Readonly<Record<string, string | ((stage: GroundStage) => string)>>;
  readonly before?: (stage: GroundStage) => Promise<void>;
  readonly after?: (stage: GroundStage) => Promise<void>;
  /** Typed by a person who confirms it at a terminal; here `--yes`. */
  readonly isConfirmed?: true;
  /** It goes on while later ones are typed, and has ended well when the story has. */
  readonly goesOn?: true;
  /** A process that serves: it is ended once it has printed this. */
  readonly until?: string;
  /** Default: 0. */
  readonly exit?: number;
}

const JOB = '5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11';
const EXIT_CANCELLED = 10;
const SLOW_MS = 20_000;
const job = { [JOB]: (stage: GroundStage) => stage.job };
const isolated = (stage: GroundStage) => stage.practice.lab.addresses.isolatedSubnetId;
const thirdDisk = { '2002': (stage: GroundStage) => stage.thirdDisk };
const web02 = { 'web-01': 'web-02' };

export const groundStory: readonly GroundScene[] = [
  // ---------------------------------------------------------- protected
  {
    line: 'switchback item protect web-01 --policy gold --location westeurope --size Standard_D2s_v5 --subnet /subscriptions/…/subnets/recovery --wait',
    fill: {
      westeurope: ({ practice }) => practice.lab.addresses.arm.location,
      '/subscriptions/…/subnets/recovery': ({ practice }) => practice.lab.addresses.productionSubnetId,
    },
  },
  { line: 'switchback item show web-01' },
  { line: 'switchback item points web-01' },
  { line: 'switchback item check web-01 --operation failover' },
  {
    line: `switchback job show ${JOB}`,
    fill: job,
    before: async (stage) => stage.newestJobOf('web-01'),
  },
  { line: `switchback job watch ${JOB}`, fill: job },
  { line: 'switchback item verify web-01 --wait' },
  { line: 'switchback item update web-01 --size Standard_D4s_v5 --any-ip --wait' },
  { line: 'switchback item exclude-disk web-01 --disk 2002 --wait', fill: thirdDisk, isConfirmed: true },
  { line: 'switchback item add-disk web-01 --disk 2002 --wait', fill: thirdDisk },
  { line: 'switchback item pause web-01 --wait' },
  { line: 'switchback item resume web-01 --wait' },
  {
    line: 'switchback segment inspect 000000000042.seg',
    fill: { '000000000042.seg': ({ segments }) => segments[0] },
    before: (stage) => stage.downloadSegments('web-01'),
  },
  {
    line: 'switchback segment verify --key-file vault.key --item-key web-01.json 000000000042.seg 000000000050.seg',
    fill: {
      'vault.key': ({ practice }) => practice.lab.paths.vaultKey,
      'web-01.json': ({ itemKey }) => itemKey,
      '000000000042.seg': ({ segments }) => segments[0],
      '000000000050.seg': ({ segments }) => segments[1],
    },
  },
  // ---------------------------------------------------------- drills
  {
    line: 'switchback item test-failover web-01 --subnet /subscriptions/…/virtualNetworks/drill/subnets/default --wait',
    fill: { '/subscriptions/…/virtualNetworks/drill/subnets/default': isolated },
  },
  { line: 'switchback item cleanup web-01 --notes "application came up, checked by the owner" --wait' },
  {
    line: `switchback job cancel ${JOB} --mode roll-back --wait`,
    fill: job,
    before: (stage) => stage.beginSlowDrill(SLOW_MS),
    exit: EXIT_CANCELLED,
  },
  {
    line: `switchback job resume ${JOB} --wait`,
    fill: job,
    before: async (stage) => {
      await stage.beginSlowDrill(SLOW_MS);
      await stage.must('job', 'cancel', stage.job, '--mode', 'hold');
      await stage.importsTake(0);
      await stage.waitsFor('finish');
    },
    after: (stage) => stage.must('item', 'cleanup', 'web-01', '--wait'),
  },
  // ---------------------------------------------------------- decisions about a plan
  {
    line: `switchback job approve ${JOB} --wait`,
    fill: job,
    before: (stage) => stage.askingDrill(),
    after: (stage) => stage.must('plan', 'run', 'asking', 'cleanup', '--wait'),
  },
  {
    line: `switchback job reject ${JOB} --wait`,
    fill: job,
    before: (stage) => stage.askingDrill(),
    goesOn: true,
    after: (stage) => stage.waitsFor('skip'),
  },
  {
    line: `switchback job skip ${JOB} --reason "the load balancer is changed by hand"`,
    fill: job,
    after: (stage) => stage.endsAndIsCleanedUp('asking'),
  },
  {
    line: `switchback job retry ${JOB} --task step-switch-dns --action switch-dns.yaml`,
    fill: { ...job, 'switch-dns.yaml': ({ stepFile }) => stepFile },
    before: (stage) => stage.switchingDrill(),
    after: (stage) => stage.endsAndIsCleanedUp('switching'),
  },
  {
    line: 'switchback job retry <job> --task step-switch-dns --action switch-dns.yaml --reason "the load balancer has another name"',
    fill: { '<job>': ({ job: id }) => id, 'switch-dns.yaml': ({ stepFile }) => stepFile },
    before: (stage) => stage.switchingDrill(),
    after: (stage) => stage.endsAndIsCleanedUp('switching'),
  },
  {
    line: `switchback job keep ${JOB} --wait`,
    fill: job,
    before: (stage) => stage.askingDrill(),
    exit: EXIT_CANCELLED,
  },
  // ---------------------------------------------------------- to Azure and back
  {
    line: `switchback job abandon ${JOB} --wait`,
    fill: job,
    before: (stage) => stage.failoverThatCannotBeUndone(),
    after: (stage) => stage.noFaults(),
    exit: errorCatalogue.DR_AZURE_OPERATION_FAILED.exit,
  },
  { line: 'switchback item failover web-01 --point latest --wait', isConfirmed: true },
  {
    line: 'switchback item change-point web-01 --point p000012 --wait',
    fill: { p000012: ({ olderPoint }) => olderPoint },
    before: (stage) => stage.chooseOlderPoint('web-01'),
    isConfirmed: true,
  },
  { line: 'switchback item rollback web-01 --wait', isConfirmed: true },
  {
    line: 'switchback item commit web-01 --wait',
    before: (stage) => stage.must('item', 'failover', 'web-01', '--yes', '--wait'),
    isConfirmed: true,
  },
  {
    line: 'switchback master-target start --config /etc/switchback/master-target.yaml',
    fill: { '/etc/switchback/master-target.yaml': ({ practice }) => practice.lab.paths.configuration },
    until: '"msg":"polling"',
  },
  {
    line: 'switchback item reprotect web-01 --datastore datastore1 --network "VM Network" --name web-01-home --wait',
    fill: { datastore1: 'LocalDS_1' },
    before: (stage) => stage.practice.startTemporaryProcessServer(),
    isConfirmed: true,
  },
  { line: 'switchback item failback web-01 --wait', isConfirmed: true },
  { line: 'switchback item cancel-failback web-01 --wait', isConfirmed: true },
  {
    line: 'switchback item re-enable web-01 --wait',
    before: async (stage) => {
      await stage.must('item', 'failback', 'web-01', '--yes', '--wait');
      await stage.must('item', 'commit', 'web-01', '--yes', '--wait');
    },
  },
  { line: 'switchback item resync web-01 --wait' },
  { line: 'switchback item disable web-01 --wait', isConfirmed: true },
  // ---------------------------------------------------------- the shop
  {
    line: 'switchback plan run shop test --subnet /subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourceGroups/dr/providers/Microsoft.Network/virtualNetworks/drill/subnets/default --wait',
    fill: {
      '/subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourceGroups/dr/providers/Microsoft.Network/virtualNetworks/drill/subnets/default':
        isolated,
    },
    before: (stage) => stage.openShop(),
  },
  { line: 'switchback plan run shop cleanup --wait' },
  {
    line: 'switchback plan run shop test --subnet <id of an isolated subnet> --wait',
    fill: { '<id of an isolated subnet>': isolated },
    after: (stage) => stage.must('plan', 'run', 'shop', 'cleanup', '--wait'),
  },
  {
    line: `switchback evidence get ${JOB} --file shop.html`,
    fill: { ...job, 'shop.html': ({ folder }) => `${folder}/shop.html` },
    before: (stage) => stage.newestRunOf('shop'),
  },
  {
    line: 'switchback plan run shop failover --not-later-than 2026-11-21T19:30:00Z --yes --wait',
    fill: { '2026-11-21T19:30:00Z': () => new Date().toISOString() },
    goesOn: true,
  },
  {
    line: 'switchback job approve <job> --task step-may-the-shop-go-down --reason "told at 19:40"',
    fill: { '<job>': ({ job: id }) => id },
    before: async (stage) => {
      await stage.newestRunOf('shop');
      await stage.waitsFor('approve');
    },
  },
  // ---------------------------------------------------------- the end of protection
  {
    line: 'switchback item complete-migration web-01 --wait',
    fill: web02,
    before: async (stage) => {
      await stage.must('plan', 'run', 'asking', 'cleanup', '--wait');
      await stage.must('item', 'failover', 'web-02', '--yes', '--wait');
      await stage.must('item', 'commit', 'web-02', '--yes', '--wait');
    },
    isConfirmed: true,
  },
];
