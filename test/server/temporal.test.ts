import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, RetryState, WorkflowNotFoundError } from '@temporalio/common';
import { asId, type OperationId, type ProtectedItemId } from '../../domain/ids.ts';
import { createTemporalRunbooks } from '../../server/temporal-runbooks.ts';
import { catalogued, isUnknownWorkflow, temporalError, whySilent } from '../../server/temporal-error.ts';
import type { Runbooks } from '../../server/runbooks.ts';
import { sampleItem } from '../support/samples.ts';

describe('while Temporal is down', () => {
  let connection: Connection;
  let runbooks: Runbooks;
  beforeAll(async () => {
    const address = `127.0.0.1:${await closedPort()}`;
    connection = Connection.lazy({ address });
    runbooks = createTemporalRunbooks({ client: new Client({ connection }), address, timeoutMs: 1_000 });
  });
  afterAll(() => connection.close());

  const requestedBy = { principal: 'administrator', requestId: 'r' };
  const operationId = asId<OperationId>('op');
  const item = asId<ProtectedItemId>('item');

  test.each([
    ['describing an item', () => runbooks.describeItem(item)],
    ['an operation', () => runbooks.operate(item, { operation: 'commit', operationId, requestedBy })],
    ['a decision', () => runbooks.decide(item, operationId, { decision: 'hold', reason: '', requestedBy })],
    ['describing a job', () => runbooks.describeJob(item, operationId)],
    [
      'a check',
      () =>
        runbooks.check({
          view: sampleItem(1),
          request: { operation: 'failback', operationId, requestedBy },
        }),
    ],
    ['probing a vCenter', () => runbooks.probeVCenter('main', 'https://vc.example.com')],
    ['reading progress', () => runbooks.progress(item)],
    ['reading progress of a run', () => runbooks.progress(item, operationId)],
  ])('%s answers DR_TEMPORAL_UNREACHABLE in bounded time', async (_, call) => {
    await expect(call()).rejects.toMatchObject({
      code: 'DR_TEMPORAL_UNREACHABLE',
      context: { reason: 'ECONNREFUSED' },
    });
  });
});

test('a server that is there but silent is told from one that is not', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  expect(await whySilent(`127.0.0.1:${portOf(silent)}`, 2_000)).toContain('no answer within 2 s');
  silent.close();
});

describe('errors of Temporal', () => {
  const refusal = ApplicationFailure.create({
    type: 'DR_OPERATION_BUSY',
    message: 'busy',
    nonRetryable: true,
    details: [{ operation: 'commit', item: 'web', running: 'failover', job: 'j' }],
  });

  test('a refused update is the error of the catalogue with its context', () => {
    expect(catalogued(new WorkflowUpdateFailedError('refused', refusal))).toMatchObject({
      code: 'DR_OPERATION_BUSY',
      context: { running: 'failover', job: 'j' },
    });
  });

  test('a failed workflow is the error its activity threw', () => {
    const failed = new WorkflowFailedError('failed', refusal, RetryState.NON_RETRYABLE_FAILURE);
    expect(temporalError(failed, 'a:1', '')).toMatchObject({ code: 'DR_OPERATION_BUSY' });
  });

  test('a failure of a type that is not in the catalogue is unexpected, not passed on', () => {
    const odd = ApplicationFailure.create({ type: 'TypeError', message: 'x is not a function' });
    expect(temporalError(new WorkflowUpdateFailedError('f', odd), 'a:1', '')).toMatchObject({
      code: 'DR_INTERNAL',
    });
  });

  test('a workflow that is not there is recognised through our own error', () => {
    const missing = new WorkflowNotFoundError('not found', 'protected-item/x', undefined);
    expect(isUnknownWorkflow(temporalError(missing, 'a:1', ''))).toBe(true);
  });
});

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const port = portOf(probe);
  probe.close();
  await once(probe, 'close');
  return port;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
