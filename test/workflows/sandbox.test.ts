import { afterEach, describe, expect, it } from '@jest/globals';
import { Rig } from './support/rig.ts';

const LATEST = { kind: 'latest' } as const;

let rig: Rig;
afterEach(() => rig.driver.dispose());

describe('an item in the sandbox', () => {
  it('goes there and back, and what was written on one side is on the other', async () => {
    rig = await Rig.protected();
    const { world } = rig;
    const written = () => {
      world.guestsWrite();
      return world.state.lastContent;
    };
    let last = written();
    await rig.run('failover', { choice: LATEST, shutdownSource: true });
    const inAzure = () => Object.values(Object.values(world.state.runs)[0]?.disks ?? {});
    expect(inAzure()).toEqual([last, last]);
    last = written();
    await rig.run('commit', {});
    await rig.run('reprotect', { place: {} });
    await rig.run('failback', {});
    expect(world.source).toMatchObject({ power: 'on', content: last });
    last = written();
    await rig.run('commit', {});
    await rig.run('reEnable', {});
    expect(await rig.view()).toMatchObject({ state: 'protected', conditions: [], health: 'normal' });
    expect(world.state.forward.barriers.at(-1)).toBe(last);
    expect(world.state.runs).toEqual({});
    expect(world.violations).toEqual([]);
  });

  it('asks for the same again when a worker dies and its workflows are replayed', async () => {
    rig = await Rig.protected();
    await rig.run('testFailover', { choice: LATEST, subnetId: '/subnets/drill' });
    expect(await rig.driver.replay()).toBeGreaterThan(10);
    await rig.run('cleanupTestFailover', { notes: 'done' });
    expect(await rig.view()).toMatchObject({ state: 'protected', drill: { state: 'none' } });
  });

  it('continues as new with its state, and replicates on', async () => {
    rig = await Rig.protected();
    const before = rig.driver.runIdOf(rig.entity);
    const { input } = await rig.checkpoint();
    expect(rig.driver.runIdOf(rig.entity)).not.toBe(before);
    expect(input.record).toMatchObject({ state: 'protected', hasRecoveryPoint: true });
    expect(rig.world.sessions).toMatchObject({ shipSession: 1, applySession: 1 });
    expect(await rig.view()).toMatchObject({ state: 'protected' });
  });

  it('continues as new before its history has 600 events, when no session ends as planned', async () => {
    rig = await Rig.protected();
    const before = rig.driver.runIdOf(rig.entity);
    let longest = 0;
    for (let cycle = 0; rig.driver.runIdOf(rig.entity) === before && cycle < 1_000; cycle += 1) {
      rig.endSession('shipSession', { outcome: 'recovered' });
      await rig.driver.settle();
      longest = Math.max(longest, rig.driver.eventsOf(rig.entity));
    }
    expect(rig.driver.runIdOf(rig.entity)).not.toBe(before);
    expect(longest).toBeLessThan(600);
    expect(await rig.view()).toMatchObject({ state: 'protected', health: 'normal' });
  });
});
