/** What the server is made of; only `workers/` and tests put it together. */
import type { Logger } from 'pino';
import type { ProtectedItemId, RecoveryPointId } from '../domain/ids.ts';
import type { VCenterDirectory } from '../domain/ports.ts';
import type { ListedPoint } from '../domain/scrub.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { Runbooks } from './runbooks.ts';
import type { ServerTls } from './tls.ts';
import type { Tokens } from './tokens.ts';

/** Recovery points as the storage account holds them. */
export interface RecoveryPoints {
  /**
   * Newest first, behind the point `after`. A point that cannot be understood is left out: a page may hold fewer than
   * `limit` while `nextCursor` says that there are more.
   */
  page(
    item: ProtectedItemId,
    page: { readonly after?: RecoveryPointId; readonly limit: number },
  ): Promise<{ readonly items: readonly ListedPoint[]; readonly nextCursor?: RecoveryPointId }>;
}

/** Evidence of runs of plans, as the storage account holds it, and the key that signs it. */
export interface Evidence {
  /** The page; null: there is none. */
  page(plan: string, run: string): Promise<string | null>;
  readonly key: { readonly keyId: string; readonly publicKeyPem: string };
}

export interface ServerDeps {
  /** Site whose process server reaches the vCenters. */
  readonly site: string;
  /** Region of the recovery site: the only one whose workers recover machines. */
  readonly location: string;
  /** Of the program, for `/health`. */
  readonly version: string;
  /** Shortest interval a policy may ask for. */
  readonly intervalSecondsMin: number;
  readonly tls: ServerTls;
  readonly catalogue: Catalogue;
  readonly runbooks: Runbooks;
  readonly points: RecoveryPoints;
  readonly evidence: Evidence;
  readonly vcenters: VCenterDirectory;
  readonly tokens: Tokens;
  readonly notifier: Notifier;
  readonly log: Logger;
}
