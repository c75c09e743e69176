/** Commands of the docs that need no more than a configuration server and what it keeps, in the order of a story. */
import { errorCatalogue } from '../../../domain/errors.ts';

export interface ServerScene {
  /** As the docs have it. */
  readonly line: string;
  /** What stands in the docs for a value of the reader's: the name of what takes its place in the test. */
  readonly fill?: Readonly<Record<string, ServerValue>>;
  /** Typed by a person who confirms it at a terminal; here `--yes`. */
  readonly isConfirmed?: true;
  /** Default: 0. */
  readonly exit?: number;
  /** Somewhere in what it prints. */
  readonly prints: string;
}

export const serverValues = [
  'passwordFile',
  'changedPlan',
  'bundle',
  'bundleKey',
  'publicKey',
  'configuration',
  'moment',
] as const;
export type ServerValue = (typeof serverValues)[number];

/** `plan diff`: applying it would change something. */
const EXIT_CHANGES = 11;
const NOT_READY = errorCatalogue.DR_PLAN_NOT_READY.exit;
const SHOP = 'examples/plans/shop.yaml';

export const serverStory: readonly ServerScene[] = [
  {
    line: 'switchback config validate --config /etc/switchback/appliance.yaml',
    fill: { '/etc/switchback/appliance.yaml': 'configuration' },
    prints: 'valid',
  },
  { line: `switchback plan validate ${SHOP}`, prints: '1. database\n2. application\n3. web' },
  { line: `switchback plan diff ${SHOP}`, prints: '~ group application', exit: EXIT_CHANGES },
  { line: `switchback plan apply ${SHOP}`, prints: 'as version 2' },
  {
    line: 'switchback plan diff shop.yaml',
    fill: { 'shop.yaml': 'changedPlan' },
    exit: EXIT_CHANGES,
    prints: '+ group cache',
  },
  { line: 'switchback plan list', prints: 'shop' },
  { line: 'switchback plan show shop --version 2', prints: 'version 2' },
  { line: 'switchback plan history shop', prints: 'administrator' },
  { line: 'switchback plan members shop', prints: 'shop-web-01' },
  {
    line: 'switchback plan points shop --not-later-than 2026-11-21T19:30:00Z',
    fill: { '2026-11-21T19:30:00Z': 'moment' },
    prints: 'shop-db-01',
  },
  {
    line: 'switchback plan schedule shop --cron "0 3 * * 6" --time-zone Europe/Berlin --blackout 2026-12-20T00:00Z/2027-01-05T00:00Z',
    prints: 'Europe/Berlin',
  },
  {
    line: 'switchback plan schedule shop --cron "0 3 * * 6" --time-zone Europe/Berlin --jitter 10m',
    prints: '10 min',
  },
  // The region that is played has no sizes.
  { line: 'switchback plan simulate shop --kind failover', exit: NOT_READY, prints: 'What decides' },
  { line: 'switchback notification list --state givenUp', prints: 'There is no notification.' },
  { line: 'switchback notification test', prints: 'There is no receiver' },
  {
    line: 'switchback readiness --plan shop',
    exit: NOT_READY,
    prints: 'What to do',
  },
  { line: 'switchback policy create gold --interval 1m --retention 72h --rpo-threshold 15m', prints: 'gold' },
  { line: 'switchback policy list', prints: 'gold' },
  {
    line: 'switchback vcenter add berlin --url https://vcenter.example.com --username dr@vsphere.local --password-file /etc/switchback/vcenter.password',
    fill: { '/etc/switchback/vcenter.password': 'passwordFile' },
    isConfirmed: true,
    prints: 'berlin',
  },
  { line: 'switchback vcenter list', prints: 'https://vcenter.example.com' },
  { line: 'switchback machine list --vcenter berlin --name "web-*" --refresh', prints: 'web-01' },
  { line: 'switchback vcenter remove berlin', prints: 'berlin' },
  { line: 'switchback item list', prints: 'shop-db-01' },
  { line: 'switchback item purge web-01 --wait', isConfirmed: true, prints: 'purge' },
  { line: 'switchback job list --item web-01 --state failed', prints: 'failover' },
  { line: 'switchback notification list --state givenUp', prints: 'notification' },
  { line: 'switchback notification test', prints: 'receiver' },
  {
    line: 'switchback evidence verify examples/evidence/shop-drill.html --key examples/evidence/key.pub.pem',
    prints: 'is what was signed, by a key that you trust',
  },
  {
    line: 'switchback evidence verify shop.html --key evidence.key.pub.pem',
    fill: { 'shop.html': 'bundle', 'evidence.key.pub.pem': 'bundleKey' },
    prints: 'by a key that you trust',
  },
  {
    line: 'switchback evidence show shop.html --key evidence.key.pub.pem',
    fill: { 'shop.html': 'bundle', 'evidence.key.pub.pem': 'bundleKey' },
    prints: 'shop',
  },
  {
    line: 'switchback evidence key --file evidence.key.pub.pem',
    fill: { 'evidence.key.pub.pem': 'publicKey' },
    prints: 'ab',
  },
];
