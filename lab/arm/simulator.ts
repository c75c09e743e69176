import type { Answering } from './answering.ts';
import type { ByteStore } from './bytes.ts';
import type { BlobSource } from './blob-source.ts';
import type { Guests } from './guests.ts';
import type { Identity } from './identity.ts';
import type { Lro } from './lro.ts';
import type { RequestLog } from './requests.ts';
import type { Store } from './store.ts';
import type { WriteLog } from './write-log.ts';

/** Everything a handler may touch. */
export interface Simulator {
  readonly identity: Identity;
  readonly store: Store;
  readonly bytes: ByteStore;
  readonly source: BlobSource;
  readonly lro: Lro;
  readonly requests: RequestLog;
  readonly writes: WriteLog;
  readonly guests: Guests;
  readonly answering: Answering;
  /** `https://127.0.0.1:port`, known once the socket listens. */
  readonly url: () => string;
}
