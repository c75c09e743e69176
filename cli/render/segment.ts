/** Segment files as people read them. */
import type { Authenticity, SegmentReport } from '../../dataplane/segment/inspect.ts';
import { bytes, facts, table } from './text.ts';

export interface Verdict extends SegmentReport {
  readonly file: string;
  /** Absent: no key was given. */
  readonly authenticity?: Authenticity;
  /** Absent in the first file: whether it follows the one before. */
  readonly follows?: boolean;
}

export function segmentPage(report: SegmentReport & { readonly file: string }): string {
  const { header, trailer, units } = report;
  const pairs = facts([
    ['file', report.file],
    ['state', report.reason ?? report.state],
    ['size', bytes(report.bytes)],
    ['disk', header?.diskId],
    ['epoch', header && String(header.epoch)],
    ['first unit', header && String(header.firstSeq)],
    ['data key', header?.keyId],
    ['follows', header?.prevHash],
    ['SHA-256', report.sha256],
    [
      'trailer',
      trailer && `${trailer.units} units, ${trailer.records} records, ${bytes(trailer.rawBytes)} of data`,
    ],
  ]);
  const rows = units.map((unit) => [
    String(unit.seq),
    String(unit.records),
    bytes(unit.plainBytes),
    bytes(unit.sealedBytes),
    unit.codec,
    ratio(unit),
  ]);
  const head = ['unit', 'records', 'plain', 'sealed', 'codec', 'ratio'];
  return `${pairs}\n\n${table(head, rows, 'No unit is whole.')}`;
}

export function verdictPage(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((each) => [
    each.file,
    String(each.units.length),
    each.state,
    authenticity(each),
    each.follows === undefined ? '-' : each.follows ? 'yes' : 'no',
  ]);
  return table(['file', 'units', 'structure', 'authentic', 'follows'], rows, '');
}

function authenticity({ authenticity: found }: Verdict): string {
  if (found === undefined) return 'not checked: no key was given';
  return found.isAuthentic ? `yes, ${found.records} records` : `no: ${found.reason}`;
}

function ratio({ plainBytes, sealedBytes }: { plainBytes: number; sealedBytes: number }): string {
  return plainBytes === 0 ? '-' : (sealedBytes / plainBytes).toFixed(2);
}
