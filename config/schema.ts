/**
 * The configuration of one installation. Written as YAML, environment or flags; nothing in the code knows
 * whether it runs on one machine or many: only these settings do. docs/configuration.md is made from here.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { notificationEvents } from '../domain/notification.ts';
import type { ThrottleSchedule } from '../domain/throttle.ts';
import { events, mailAddress, mailAddresses, secretName, webhooks } from './notifications.ts';
import { rate, timeZone, windows } from './throttle.ts';
import {
  duration,
  folders,
  httpsUrl,
  isLoopback,
  matching,
  oneOf,
  path,
  percentage,
  secretText,
  size,
  text,
  wholeNumber,
} from './values.ts';

const guid = (wanted: string) => matching(wanted, /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/);

/** For services without a bound of their own. */
const UNBOUNDED = 1_000_000_000;

const authority = httpsUrl()
  .exactOptional()
  .describe('Where tokens are issued; absent: the public Microsoft cloud');

const identity = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('clientSecret'),
      tenantId: text('the tenant of the application').describe('Tenant of the application'),
      clientId: text('the id of the application').describe('Application (client) id'),
      secretFile: path('a file holding the client secret').describe('File holding the client secret'),
      authorityHost: authority,
    }),
    z.strictObject({
      kind: z.literal('managedIdentity'),
      clientId: text('the id of a user-assigned identity')
        .exactOptional()
        .describe('User-assigned identity; absent: the machine’s own'),
    }),
    z.strictObject({
      kind: z.literal('workloadIdentity'),
      tenantId: text('the tenant of the application').describe('Tenant of the application'),
      clientId: text('the id of the application').describe('Application (client) id'),
      tokenFile: path('the projected service account token').describe('Projected service account token'),
      authorityHost: authority,
    }),
  ],
  { error: 'must be one of clientSecret, managedIdentity, workloadIdentity' },
);

const diskTransport = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('exportService') }),
    z.strictObject({
      kind: z.literal('nbdkitVddk'),
      nbdkit: path('the nbdkit program').describe('The nbdkit program'),
      libraryDir: path('the unpacked VDDK').describe(
        'Folder of the unpacked VDDK (vmware-vix-disklib-distrib)',
      ),
    }),
  ],
  { error: 'must be one of exportService, nbdkitVddk' },
);

export const settingsSchema = z.strictObject({
  dataDir: path('a folder')
    .prefault('/var/lib/switchback')
    .describe('Folder for certificates, the first token, the embedded catalogue and the cache'),
  site: matching('1-40 lower-case letters, digits, hyphens', /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/)
    .prefault('main')
    .describe('Name of the source site; part of its task queues'),
  temporal: z
    .strictObject({
      address: matching('host:port', /^[^/\s]+:\d{1,5}$/)
        .prefault('127.0.0.1:7233')
        .describe('Temporal frontend'),
      namespace: text('a namespace').prefault('default').describe('Temporal namespace'),
      tls: z
        .strictObject({
          caFile: path('a PEM file').describe('Authority of the Temporal server'),
          certFile: path('a PEM file').describe('Client certificate'),
          keyFile: path('a PEM file').describe('Key of the client certificate'),
        })
        .exactOptional(),
    })
    .prefault({}),
  api: z
    .strictObject({
      host: text('an address to listen on').prefault('127.0.0.1').describe('Address to listen on'),
      port: wholeNumber(0, 65_535).prefault('8443').describe('HTTPS port; 0 takes any free one'),
      publicUrl: httpsUrl('an https:// address')
        .exactOptional()
        .describe('Address that clients use; its host is put into the certificate'),
    })
    .prefault({}),
  catalogue: z
    .strictObject({
      url: secretText('a postgres:// address')
        .exactOptional()
        .describe('PostgreSQL address; absent: embedded in `<dataDir>/catalogue`. A secret: no flag'),
      urlFile: path('a file holding a postgres:// address')
        .exactOptional()
        .describe('File holding the PostgreSQL address; instead of `catalogue.url`'),
    })
    .prefault({}),
  vault: z
    .strictObject({
      keyFile: path('a file').exactOptional().describe('The vault’s key; absent: `<dataDir>/vault.key`'),
    })
    .prefault({}),
  evidence: z
    .strictObject({
      keyFile: path('a PEM file')
        .exactOptional()
        .describe(
          'Ed25519 key that signs evidence (PKCS#8, mode 0600), made where it is missing; its public half is written beside it (`.pub.pem`). Absent: `<dataDir>/evidence.key`',
        ),
    })
    .prefault({}),
  storage: z.strictObject({
    accountUrl: httpsUrl().describe('Blob endpoint of the storage account'),
    container: matching('3-63 lower-case letters, digits, hyphens', /^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$/)
      .prefault('switchback')
      .describe('Container that all blobs lie in'),
    sharedKey: z
      .strictObject({
        accountName: text('an account name').describe('Account name, where no Azure identity is used'),
        keyFile: path('a file holding the account key').describe('File holding the account key'),
      })
      .exactOptional(),
    transferChecksum: oneOf(['crc64', 'md5', 'none'])
      .prefault('crc64')
      .describe('Sent with what is uploaded, so that the service refuses what was mangled on the way'),
    limits: z
      .strictObject({
        pageBlobRequests: wholeNumber(1, UNBOUNDED)
          .prefault('500')
          .describe(
            'Requests a second to one replica; Azure grants 500 to a page blob of a standard account',
          ),
        pageBlobBytes: size('1MiB')
          .prefault('60MiB')
          .describe('Bytes a second to and from one replica; Azure grants 60 MiB'),
        accountRequests: wholeNumber(1, UNBOUNDED)
          .prefault('20000')
          .describe('Requests a second of one process; Azure grants an account 20,000 to 40,000, by region'),
        accountBytes: size('1MiB')
          .prefault('2900MiB')
          .describe('Bytes a second of one process; Azure grants an account 25 Gbit/s or more'),
      })
      .prefault({}),
  }),
  azure: z.strictObject({
    subscriptionId: guid('the id of the subscription').describe(
      'Subscription that recovered machines run in',
    ),
    location: matching('a region such as westeurope', /^[a-z0-9]{2,40}$/).describe(
      'Region of the recovery site; part of its task queues',
    ),
    endpoint: httpsUrl('an https:// address')
      .exactOptional()
      .describe('Azure Resource Manager; absent: the public Microsoft cloud'),
    caFile: path('a PEM file')
      .exactOptional()
      .describe('Further authority to trust for `azure.endpoint` and `azure.prices.endpoint`'),
    prices: z
      .strictObject({
        endpoint: httpsUrl()
          .exactOptional()
          .describe(
            'Price list that drills are priced by, in simulations and for `drill.costLimit` of plans; absent: https://prices.azure.com',
          ),
      })
      .prefault({}),
    pollInterval: duration('milliseconds', { min: '10ms', max: '10m' })
      .exactOptional()
      .describe('Time between looks at a long-running operation; absent: what Azure advises'),
    identity,
  }),
  diskTransport,
  replication: z
    .strictObject({
      intervalSecondsMin: duration('seconds', { min: '1s', max: '1h' })
        .prefault('60s')
        .describe('Shortest interval a policy may ask for'),
      cache: z
        .strictObject({
          folder: path('a folder')
            .exactOptional()
            .describe('Cache of the process server; absent: `<dataDir>/cache`'),
          freeMin: size('16MiB').prefault('2GiB').describe('Space kept free on the volume of the cache'),
          max: size('64MiB').prefault('64GiB').describe('Most that waits for upload (high water)'),
          lowWater: size('16MiB')
            .exactOptional()
            .describe('Once the cache was full, reading goes on below this; absent: half of `max`'),
        })
        .refine(({ max, lowWater = 0 }) => lowWater < max, {
          path: ['lowWater'],
          error: 'must be less than `max`',
        })
        .prefault({}),
      throttle: z
        .strictObject({
          rate: rate().prefault('unlimited').describe('Rate of all uploads together, outside every window'),
          timeZone: timeZone().prefault('UTC').describe('Zone of the windows’ times'),
          windows: windows()
            .prefault('[]')
            .describe(
              'Times of the week with another rate, the first that holds counts: a list of `{days, from, to, rate, timeZone}`; a variable or flag takes it as YAML',
            ),
        })
        .prefault({}),
      scrub: z
        .strictObject({
          percentPerDay: percentage()
            .prefault('1.5')
            .describe(
              'Share of every disk that is compared with the recovery points each day; 0: none. At 1.5 every block has its turn within 67 days',
            ),
        })
        .prefault({}),
      uploads: wholeNumber(1, 64).prefault('8').describe('Uploads at the same time, of all items together'),
      cycleConcurrency: wholeNumber(1, 256).prefault('8').describe('Replication cycles at the same time'),
    })
    .prefault({}),
  steps: z
    .strictObject({
      secretsFolder: path('a folder')
        .exactOptional()
        .describe(
          'Secrets that steps of recovery plans name: one file each, mode 0600, of this process alone; absent: `<dataDir>/secrets`',
        ),
      commandFolders: folders()
        .prefault('[]')
        .describe(
          'Folders whose programs steps may start here; none: no commands. A list; a variable or flag takes it as YAML',
        ),
      webhookCaFile: path('a PEM file')
        .exactOptional()
        .describe('Further authority that webhooks trust, beside the public ones'),
    })
    .prefault({}),
  notifications: z
    .strictObject({
      webhooks: webhooks()
        .prefault('[]')
        .describe(
          'Addresses that are told: a list of `{name, url, secret, events}`; `secret` names a file in `steps.secretsFolder`, `events` left out means all. A variable or flag takes it as YAML',
        ),
      smtp: z
        .strictObject({
          host: text('a host').describe('Mail server'),
          port: wholeNumber(1, 65_535).prefault('587').describe('Its port'),
          tls: oneOf(['starttls', 'implicit', 'none'])
            .prefault('starttls')
            .describe('How the connection is encrypted; `none` only for a server on this machine'),
          caFile: path('a PEM file')
            .exactOptional()
            .describe('Further authority to trust, beside the public ones'),
          user: text('a user name').exactOptional().describe('Account; absent: no login'),
          passwordSecret: secretName()
            .exactOptional()
            .describe('Name of its password: a file in `steps.secretsFolder`'),
          from: mailAddress().describe('Sender'),
          to: mailAddresses().describe('Recipients: a list; a variable or flag takes it as YAML'),
          events: events()
            .prefault(`[${notificationEvents.join(', ')}]`)
            .describe('What they are told of: a list; a variable or flag takes it as YAML'),
        })
        .refine(({ tls, host }) => tls !== 'none' || isLoopback(host), {
          path: ['tls'],
          error: 'must be starttls or implicit: the server is not on this machine',
        })
        .refine(({ user, passwordSecret }) => (user === undefined) === (passwordSecret === undefined), {
          path: ['passwordSecret'],
          error: 'must be given together with `user`',
        })
        .exactOptional(),
    })
    .prefault({}),
  failback: z
    .strictObject({
      privateLink: oneOf(['required', 'any'])
        .prefault('required')
        .describe(
          'How a site must reach the storage account before a machine comes home: at a private address (`required`), or over the internet too (`any`)',
        ),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .prefault('info')
        .describe('Least severe line that is written'),
    })
    .prefault({}),
});

type Settings = z.output<typeof settingsSchema>;

/**
 * The checked configuration. `azure.pollInterval` is milliseconds, sizes of the cache are bytes, rates bytes
 * per second, paths are absolute; the catalogue's address stays sealed in a `Secret`.
 */
export interface Config extends Omit<Settings, 'catalogue' | 'evidence' | 'vault' | 'replication' | 'steps'> {
  readonly catalogue: Pick<Settings['catalogue'], 'url'>;
  readonly steps: Settings['steps'] & { readonly secretsFolder: string };
  readonly vault: { readonly keyFile: string };
  readonly evidence: { readonly keyFile: string };
  readonly replication: Omit<Settings['replication'], 'cache' | 'throttle'> & {
    readonly cache: {
      readonly folder: string;
      readonly freeMin: number;
      readonly max: number;
      readonly lowWater: number;
    };
    readonly throttle: ThrottleSchedule;
  };
}

/** Fills the paths that depend on `dataDir`. */
export function complete(settings: Settings): Config {
  const { dataDir, vault, evidence, replication, catalogue, steps } = settings;
  const { cache, throttle } = replication;
  return {
    ...settings,
    catalogue: catalogue.url === undefined ? {} : { url: catalogue.url },
    vault: { keyFile: vault.keyFile ?? join(dataDir, 'vault.key') },
    evidence: { keyFile: evidence.keyFile ?? join(dataDir, 'evidence.key') },
    steps: { ...steps, secretsFolder: steps.secretsFolder ?? join(dataDir, 'secrets') },
    replication: {
      ...replication,
      cache: {
        ...cache,
        folder: cache.folder ?? join(dataDir, 'cache'),
        lowWater: cache.lowWater ?? Math.floor(cache.max / 2),
      },
      throttle: {
        rate: throttle.rate,
        windows: throttle.windows.map((window) => ({ timeZone: throttle.timeZone, ...window })),
      },
    },
  };
}
