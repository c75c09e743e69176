import { describe, expect, test } from '@jest/globals';
import { MiB } from '../../domain/units.ts';
import type { DiskHash, SourceHash } from '../../lab/controls.ts';
import { differingRanges, verdict } from '../../scripts/verdict.ts';

describe('differing ranges', () => {
  test('of equal lists are none', () => {
    expect(differingRanges(['a', 'b'], ['a', 'b'], 10)).toEqual([]);
  });

  test('join blocks that lie side by side and keep apart those that do not', () => {
    expect(differingRanges(['a', 'b', 'c', 'd', 'e'], ['x', 'y', 'c', 'd', 'z'], 10)).toEqual([
      { offset: 0, length: 20 },
      { offset: 40, length: 10 },
    ]);
  });

  test('count a block that only one side has', () => {
    expect(differingRanges(['a'], ['a', 'b'], 10)).toEqual([{ offset: 10, length: 10 }]);
  });
});

describe('the verdict', () => {
  const source = (sha256: string, blocks: string[]) => async (asked: SourceHash) => {
    expect(asked).toMatchObject({ machine: 'm', deviceKey: 2000, snapshot: 's', padToBytes: 2 * MiB });
    return { sha256, bytes: 2 * MiB, blocks } satisfies DiskHash;
  };
  const target = (sha256: string, blocks: string[]) => async () => ({ sha256, bytes: 2 * MiB, blocks });
  const judge = (left: [string, string[]], right: [string, string[]]) =>
    verdict({
      guest: { hash: source(...left) },
      azure: { hash: target(...right) },
      machine: 'm',
      snapshotName: 's',
      disks: [{ deviceKey: 2000, azureDiskId: '/disk' }],
    });

  test('is equal when both whole hashes are', async () => {
    expect(await judge(['h', ['a', 'b']], ['h', ['a', 'b']])).toMatchObject([{ equal: true, differing: [] }]);
  });

  test('names the ranges that differ', async () => {
    expect(await judge(['h', ['a', 'b']], ['i', ['a', 'c']])).toMatchObject([
      { equal: false, differing: [{ offset: MiB, length: MiB }] },
    ]);
  });
});
