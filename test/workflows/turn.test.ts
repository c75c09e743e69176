import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { allNews } from '../../activities/plan/news.ts';
import { operateMembers } from '../../activities/plan/operate-members.ts';
import { watchOutcomes } from '../../activities/plan/outcomes.ts';
import { Waits } from '../../activities/plan/waits.ts';
import { DrError } from '../../domain/errors.ts';
import { asId, type OperationId } from '../../domain/ids.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import { createTemporalRunbooks } from '../../server/temporal-runbooks.ts';
import type { MemberEnd, MovePhase, OperateMembersInput } from '../../workflows/contracts/plan.ts';
import {
  bothSessionsRun,
  decide,
  isProtected,
  jobEnds,
  jobWaits,
  protect,
  setStage,
  stage,
  until,
} from './support/stage.ts';

setStage();
const news = allNews();

interface Asked {
  readonly kind: PlanRunKind;
  readonly phase: MovePhase;
  readonly operationId: OperationId;
  readonly undo?: true;
  readonly prepared?: OperationId;
  readonly asks?: string;
  /** Nobody was asked for it before; of which attempt of the call. */
  readonly isNew?: { readonly attempt: number };
}

/** As the run of a plan asks for it, through the client that the configuration server has. */
async function ask({
  kind,
  phase,
  operationId,
  undo,
  prepared,
  asks,
  isNew,
}: Asked): Promise<MemberEnd | undefined> {
  const { client } = stage.server;
  const runbooks = createTemporalRunbooks({ client, address: 'the test server' });
  const { world } = stage.world;
  world.hear = (job) => news.jobs.tell(job.id, job);
  world.hearItem = (view) => news.items.tell(view.itemId, view);
  const calls = {
    runbooks,
    news,
    outcomes: watchOutcomes((...run) => runbooks.runOutcome(...run)),
    waits: new Waits<MemberEnd>(),
  };
  const input: OperateMembersInput = {
    runId: asId('run'),
    requestedBy: { principal: 'test', requestId: 'r1' },
    planName: 'shop',
    kind,
    phase,
    choice: { kind: 'latest' },
    shutdownSource: true,
    subnetId: '/subnets/drill',
    onBusy: 'refuse',
    hearsQuestions: true,
    gatherSeconds: 0,
    members: [
      {
        itemId: stage.itemId,
        machineName: 'web-01',
        operationId,
        ...(prepared === undefined ? {} : { prepared }),
        ...(asks === undefined ? {} : { asks }),
        ...(isNew === undefined ? {} : { isNew: true }),
      },
    ],
    ...(undo === undefined ? {} : { undo }),
  };
  const waiting = {
    signal: new AbortController().signal,
    attempt: isNew?.attempt ?? 1,
    report: () => undefined,
  };
  const [end] = await operateMembers(calls, input, waiting);
  return end;
}

const operation = (): OperationId => asId(randomUUID());
const made = () => [stage.world.count('beginNic'), stage.world.count('beginVm')];

describe('a machine of a plan', () => {
  it('is made ready, waits for its turn, and starts when it has come', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const operationId = operation();
    const ready = await ask({ kind: 'failover', phase: 'prepare', operationId });
    expect(ready).toMatchObject({ result: { ended: 'prepared' } });
    expect(made()).toEqual([1, 0]);
    expect(stage.world.world.source.power).toBe('off');
    // Asked again, as after the loss of a worker, it is found where it is.
    expect(await ask({ kind: 'failover', phase: 'prepare', operationId })).toMatchObject(ready ?? {});
    const started = await ask({ kind: 'failover', phase: 'start', operationId });
    expect(started).toMatchObject({ result: { ended: 'succeeded', machine: { machineName: 'web-01' } } });
    expect(made()).toEqual([1, 1]);
    await until('the failover', ({ state, running }) => state === 'failedOver' && running === undefined);
  });

  it('that was asked for is found again by the next attempt of the call, and operated once', async () => {
    await protect();
    await isProtected();
    const operationId = operation();
    const asked = { kind: 'test', phase: 'whole', operationId } as const;
    const first = await ask({ ...asked, isNew: { attempt: 1 } });
    expect(first).toMatchObject({ result: { ended: 'succeeded', machine: { address: expect.any(String) } } });
    expect(await ask({ ...asked, isNew: { attempt: 2 } })).toMatchObject(first ?? {});
    expect(made()).toEqual([1, 1]);
  });

  it('is taken back from where it waits: the source runs again, nothing is left in Azure', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const prepared = operation();
    await ask({ kind: 'failover', phase: 'prepare', operationId: prepared });
    const back = {
      kind: 'failover',
      phase: 'whole',
      operationId: operation(),
      undo: true,
      prepared,
    } as const;
    expect(await ask(back)).toMatchObject({ result: { ended: 'reached' } });
    expect(made()).toEqual([1, 0]);
    expect(stage.world.world.source.power).toBe('on');
    expect(stage.world.count('proveRunEmpty')).toBe(1);
    await until('the item to be protected', ({ state }) => state === 'protected');
  });

  it('that waits when the run of its plan ends takes its drill back by itself', async () => {
    await protect();
    await isProtected();
    const operationId = operation();
    await ask({ kind: 'test', phase: 'prepare', operationId });
    expect(await ask({ kind: 'test', phase: 'leave', operationId })).toMatchObject({
      result: { ended: 'reached' },
    });
    expect((await jobEnds(operationId)).error?.code).toBe('DR_TURN_MISSED');
    await until('the drill to be gone', ({ drill }) => drill.state === 'none');
    expect(made()).toEqual([1, 0]);
  });

  it('that has failed over so far waits for an operator then, who may start it alone', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const operationId = operation();
    await ask({ kind: 'failover', phase: 'prepare', operationId });
    await ask({ kind: 'failover', phase: 'leave', operationId });
    const { error, choices } = await jobWaits(operationId);
    expect(error?.code).toBe('DR_TURN_MISSED');
    expect(choices?.map(({ decision }) => decision)).toEqual(['retry', 'skip', 'rollBack']);
    await decide(operationId, 'skip');
    expect((await jobEnds(operationId)).state).toBe('succeeded');
    expect(made()).toEqual([1, 1]);
  });

  it('tells what its operation asks an operator, to whoever comes later too, and that it goes on', async () => {
    const refused = new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' });
    stage.world.failing.set('beginNic', refused);
    await protect();
    await isProtected();
    await bothSessionsRun();
    const operationId = operation();
    const asked = { kind: 'failover', phase: 'prepare', operationId } as const;
    const asks = `job ${operationId} waits for an operator at "Make the network interface": ${refused.message}`;
    expect(await ask(asked)).toEqual({ operationId, asks });
    expect(await ask(asked)).toEqual({ operationId, asks });
    stage.world.failing.clear();
    const goesOn = ask({ ...asked, asks });
    await decide(operationId, 'retry');
    expect(await goesOn).toEqual({ operationId, asks: '' });
    expect(await ask(asked)).toMatchObject({ result: { ended: 'prepared' } });
  });

  it('whose job somebody rolls back while it is made ready is told as failed', async () => {
    const never = new DrError('DR_AZURE_BUSY', { attempted: 'a', azureCode: 'c', reason: 'stuck' });
    stage.world.failing.set('beginNic', never);
    await protect();
    await isProtected();
    const operationId = operation();
    const asked = ask({ kind: 'test', phase: 'prepare', operationId });
    await until('the drill to be tried', () => stage.world.count('beginNic') > 0);
    await decide(operationId, 'rollBack');
    expect(await asked).toMatchObject({
      error: { code: 'DR_MEMBER_FAILED', context: { ending: 'was undone' } },
    });
  });

  it('whose job somebody has rolled back by hand is told as failed', async () => {
    await protect();
    await isProtected();
    const operationId = operation();
    await ask({ kind: 'test', phase: 'prepare', operationId });
    await decide(operationId, 'rollBack');
    await jobEnds(operationId);
    expect(await ask({ kind: 'test', phase: 'start', operationId })).toMatchObject({
      error: { code: 'DR_MEMBER_FAILED', context: { ending: 'was undone' } },
    });
  });
});
