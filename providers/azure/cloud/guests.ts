/**
 * What Azure does inside a machine. A script is a managed run command, a child of its machine with a name of its own:
 * it goes on whoever watches it, so that a try that was lost is found again instead of running twice.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VirtualMachineRunCommand } from '@azure/arm-compute';
import { Agent, request } from 'undici';
import type { CloudGuests, GuestScript, GuestScriptResult } from '../../../domain/ports.ts';
import { call, collect, createClients, getOrNull } from './clients.ts';
import type { Clients, CloudOptions } from './clients.ts';
import { failureError } from './errors.ts';
import { gone } from './operation.ts';
import { parseResourceId } from './resource-id.ts';

const RUN_TAG = 'switchback-step-run';
const SCRIPT_TAG = 'switchback-step-script';
const OVER: readonly string[] = ['Succeeded', 'Failed', 'TimedOut', 'Canceled'];
const OUTPUT_LENGTH_MAX = 4_096;
const LOG_ACCESS_MINUTES = 5;
const LOG_STATUS_NONE = 404;

interface Place {
  readonly group: string;
  readonly vm: string;
  readonly facts: { readonly attempted: string };
}

/** Sends nothing before the first method is called. */
export function createCloudGuests(options: CloudOptions): CloudGuests {
  const clients = createClients(options);
  return {
    runScript: (script, signal) => runScript(clients, script, signal),
    bootLog: (vmId, bytesMax, signal) => bootLog(clients, vmId, bytesMax, signal),
  };
}

async function runScript(
  clients: Clients,
  script: GuestScript,
  signal: AbortSignal,
): Promise<GuestScriptResult> {
  const { group, name: vm } = parseResourceId(script.vmId);
  const place = { group, vm, facts: { attempted: `run a script in virtual machine ${vm}` } };
  const found = await read(clients, place, script.name, signal);
  if (found === null || !isKept(script, found)) {
    const inTheWay = found === null ? [] : [script.name];
    await remove(
      clients,
      place,
      [...inTheWay, ...(await leftBehind(clients, place, script, signal))],
      signal,
    );
    await start(clients, place, script, signal);
  }
  return awaitEnd(clients, place, script.name, signal);
}

/** It is of this script, and goes on or went well. */
function isKept(script: GuestScript, found: VirtualMachineRunCommand): boolean {
  const { instanceView, provisioningState, tags } = found;
  if (tags?.[SCRIPT_TAG] !== digestOf(script)) return false;
  const { executionState = 'Unknown', exitCode = 0 } = instanceView ?? {};
  if (provisioningState === 'Failed' || provisioningState === 'Canceled') return false;
  return OVER.includes(executionState) ? executionState === 'Succeeded' && exitCode === 0 : true;
}

/** Names of what ended runs have left on the machine. */
async function leftBehind(
  clients: Clients,
  { group, vm, facts }: Place,
  { runId }: GuestScript,
  signal: AbortSignal,
): Promise<string[]> {
  const commands = clients.compute.virtualMachineRunCommands;
  return call(
    facts,
    () =>
      collect(commands.listByVirtualMachine(group, vm, { expand: 'instanceView' }), (command) => {
        const owner = command.tags?.[RUN_TAG];
        const isOver = OVER.includes(command.instanceView?.executionState ?? 'Unknown');
        return owner !== undefined && owner !== runId && isOver ? (command.name ?? null) : null;
      }),
    signal,
  );
}

async function remove(
  clients: Clients,
  { group, vm, facts }: Place,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const interval = { updateIntervalInMs: clients.pollIntervalMs };
  for (const name of names) {
    const deletion = () =>
      clients.compute.virtualMachineRunCommands
        .delete(group, vm, name, interval)
        .pollUntilDone({ abortSignal: signal });
    await call(facts, deletion, signal);
  }
}

async function start(
  clients: Clients,
  { group, vm, facts }: Place,
  script: GuestScript,
  signal: AbortSignal,
): Promise<void> {
  const { compute, pollIntervalMs } = clients;
  const { location } = await call(facts, () => compute.virtualMachines.get(group, vm), signal);
  const command: VirtualMachineRunCommand = {
    location,
    tags: { [RUN_TAG]: script.runId, [SCRIPT_TAG]: digestOf(script) },
    source: { script: script.script.join('\n') },
    asyncExecution: true,
    timeoutInSeconds: script.timeoutSeconds,
  };
  const interval = { updateIntervalInMs: pollIntervalMs };
  await call(
    facts,
    () =>
      compute.virtualMachineRunCommands
        .createOrUpdate(group, vm, script.name, command, interval)
        .pollUntilDone({ abortSignal: signal }),
    signal,
  );
}

async function awaitEnd(
  clients: Clients,
  place: Place,
  name: string,
  signal: AbortSignal,
): Promise<GuestScriptResult> {
  for (;;) {
    const found = await read(clients, place, name, signal);
    if (found === null) throw failureError(place.facts, gone);
    const { executionState: state = 'Unknown', ...view } = found.instanceView ?? {};
    if (OVER.includes(state)) {
      return {
        exitCode: view.exitCode ?? null,
        state,
        output: (view.output ?? '').slice(-OUTPUT_LENGTH_MAX),
        error: (view.error || (view.executionMessage ?? '')).slice(-OUTPUT_LENGTH_MAX),
      };
    }
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
}

function read(
  { compute }: Clients,
  { group, vm, facts }: Place,
  name: string,
  signal: AbortSignal,
): Promise<VirtualMachineRunCommand | null> {
  const get = () =>
    compute.virtualMachineRunCommands.getByVirtualMachine(group, vm, name, { expand: 'instanceView' });
  return getOrNull(facts, get, signal);
}

function digestOf({ script }: GuestScript): string {
  return createHash('sha256').update(script.join('\n')).digest('hex');
}

async function bootLog(
  clients: Clients,
  vmId: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<string> {
  const { group, name } = parseResourceId(vmId);
  const facts = { attempted: `read the console log of virtual machine ${name}` };
  const { serialConsoleLogBlobUri: uri } = await call(
    facts,
    () =>
      clients.compute.virtualMachines.retrieveBootDiagnosticsData(group, name, {
        sasUriExpirationTimeInMinutes: LOG_ACCESS_MINUTES,
      }),
    signal,
  );
  if (uri === undefined) return '';
  const { tlsCa } = clients;
  const dispatcher = new Agent({ pipelining: 0, connect: tlsCa === undefined ? {} : { ca: tlsCa } });
  try {
    const { statusCode, body } = await request(uri, { dispatcher, signal });
    if (statusCode === LOG_STATUS_NONE) return '';
    if (statusCode >= 300) {
      throw failureError(facts, {
        status: statusCode,
        code: `HTTP${statusCode}`,
        message: 'the log was not handed out',
      });
    }
    return await endOf(body, bytesMax);
  } finally {
    await dispatcher.destroy();
  }
}

async function endOf(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  let kept = Buffer.alloc(0);
  for await (const chunk of body) {
    const all = Buffer.concat([kept, chunk]);
    kept = all.subarray(Math.max(0, all.length - bytesMax));
  }
  return kept.toString('utf8');
}
