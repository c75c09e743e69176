/** Replication, storage and keys. */
import { entry, type ErrorEntry } from './entry.ts';

export const replicationErrors = {
  DR_REPLICATION_CBT_RESET: entry(
    'pause',
    409,
    7,
    'Changed-block tracking restarted on "{machine}", disk {disk}: {reason}',
    'The next cycle reads the disk in full by itself; failover stays possible to older points.',
  ),
  DR_REPLICATION_FENCED: entry(
    'fail',
    409,
    4,
    'Epoch {epoch} may no longer write {what}: epoch {newer} has taken over',
    'Nothing to do: a newer attempt continues this work.',
  ),
  DR_REPLICATION_SOURCE_READ: entry(
    'retry',
    502,
    6,
    'Reading disk {disk} at {offset} failed: {reason}',
    'Check the path to the host (TCP 902) and the datastore; reading resumes by itself.',
  ),
  DR_REPLICATION_TARGET_WRITE: entry(
    'retry',
    502,
    6,
    'Writing disk {disk} at {offset} failed: {reason}',
    'Check the path to the host (TCP 902) and the free space of the datastore; writing resumes by itself.',
  ),
  DR_REPLICATION_DEFERRED: entry(
    'retry',
    503,
    6,
    'Changes are not sent now: {reason}',
    'Nothing is lost: the ranges that change are remembered at the source and travel in a later cycle. If the RPO grows too far, raise the rate of the site or its cache.',
  ),
  DR_REPLICATION_NOT_DRAINED: entry(
    'retry',
    409,
    6,
    'Barrier {number} of {item} is not applied yet',
    'Wait; the recovery-site worker is still applying.',
  ),
  DR_SEGMENT_CORRUPT: entry(
    'pause',
    409,
    7,
    'Segment {segment} is damaged: {reason}',
    'No recovery point was made from it and older points stay usable. Protect the machine again to copy it in full.',
  ),
  DR_SEGMENT_FILE_UNSOUND: entry(
    'fail',
    409,
    7,
    'Segment file {segment} does not hold: {reason}',
    'Download the blob again and compare; if it stays so, recovery points made before it are not affected, and a resync makes what it carried good.',
  ),
  DR_JOURNAL_GAP: entry(
    'pause',
    409,
    7,
    'The journal of {item} has a gap: {reason}',
    'Older recovery points stay usable. Protect the machine again to copy it in full.',
  ),
  DR_CACHE_DISK_FULL: entry(
    'retry',
    507,
    6,
    'No space on the process server: {path} has {freeMiB} MiB free, {neededMiB} MiB are kept free',
    'Free space on that volume; replication goes on by itself and loses no change.',
  ),

  DR_STORAGE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Storage account {account} does not answer: {reason}',
    'Check network, firewall and the account; replication goes on by itself once it answers.',
  ),
  DR_STORAGE_FULL: entry(
    'retry',
    507,
    8,
    'Storage account {account} has no room: {reason}',
    'Raise the limit of the account or remove old data; replication goes on by itself.',
  ),
  DR_STORAGE_REFUSED: entry(
    'fail',
    403,
    5,
    'Storage account {account} refused {attempted}: {reason}',
    'Give the identity the role Storage Blob Data Contributor, or correct the account key.',
  ),
  DR_KEY_MISSING: entry(
    'pause',
    409,
    7,
    'The data key of {item} cannot be opened: {reason}',
    'Start with the vault key that sealed it; without that key its segments cannot be read.',
  ),
} as const satisfies Record<string, ErrorEntry>;
