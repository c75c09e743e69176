import { expect, test } from '@jest/globals';
import { admit, type Supply } from '../../../domain/plan/scheduler.ts';

const turns: Supply = { id: 'turn', name: 'turn', free: 1, keptBy: 'move' };
const cores: Supply = { id: 'cores', name: 'cores', free: 8, keptBy: 'run' };

test('who needs nothing of what was handed out too often begins all the same', () => {
  const applicants = [
    { id: 'a', needs: { turn: 1 } },
    { id: 'b', needs: { cores: 8 } },
    { id: 'c', needs: {} },
  ];
  expect(admit(applicants, { turn: 2 }, [turns, cores])).toEqual({
    begin: ['b', 'c'],
    waits: [{ id: 'a', reason: 'waits for 1 turn' }],
  });
});

test('who fits overtakes who does not, and takes from those behind', () => {
  const needing = (id: string, count: number) => ({ id, needs: { cores: count } });
  expect(admit([needing('a', 16), needing('b', 6), needing('c', 4)], {}, [cores])).toEqual({
    begin: ['b'],
    waits: [
      { id: 'a', reason: 'waits for 16 cores' },
      { id: 'c', reason: 'waits for 4 cores' },
    ],
  });
});
