import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { JsonObject, RunCommand, Vm } from '../model.ts';
import { page } from '../paging.ts';
import { runScript } from '../practice-shell.ts';
import type { Simulator } from '../simulator.ts';
import { renderResource, requireOf, requireWritableGroup, resourceBody } from './common.ts';
import { putByOperation } from './put.ts';

const TYPE = 'Microsoft.Compute/virtualMachines/runCommands';
/** Azure's limit on one machine. */
const COUNT_MAX = 25;
const TIMEOUT_SECONDS_DEFAULT = 5_400;

const requireVm = requireOf('Microsoft.Compute/virtualMachines');

const runCommandBody = resourceBody.extend({
  properties: z.looseObject({
    source: z.looseObject({ script: z.string() }),
    asyncExecution: z.literal(true, 'only asyncExecution: true is practised here'),
    timeoutInSeconds: z.number().int().min(1).max(TIMEOUT_SECONDS_DEFAULT).optional(),
  }),
});

/** A managed run command. The same request again changes nothing; another script of the same name runs anew. */
export function putRunCommand(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, runCommandBody);
  requireWritableGroup(simulator, request);
  const vm = requireVm(simulator, request);
  const id = idOf(vm, request);
  const { source, timeoutInSeconds: timeoutSeconds = TIMEOUT_SECONDS_DEFAULT } = body.properties;
  return putByOperation<RunCommand>(simulator, request, {
    existing: simulator.store.find(TYPE, id),
    named: { id, name: request.params.command ?? '' },
    stateOfNew: 'Creating',
    body,
    admit: () => requireRoom(simulator, vm),
    build: (common) => ({
      ...common,
      type: TYPE,
      facts: { script: source.script, timeoutSeconds, run: null },
    }),
    render: (command) => render(command),
    operation: { kind: 'runCommand.start', provider: 'Microsoft.Compute' },
  });
}

/** Ends when the script has begun; a machine without an agent never begins. */
export const runCommandStart: OperationKind = {
  finish: (simulator, operation) => {
    const command = simulator.store.find(TYPE, operation.resourceId);
    if (command === undefined) return { changes: [] };
    const { script } = command.facts;
    const [vmId = ''] = command.id.split(/\/runCommands\//i);
    if (simulator.answering.applicationOf(vmId)?.agent !== true) {
      throw new ArmError(
        409,
        'VMAgentStatusCommunicationError',
        `VM '${vmId.split('/').at(-1) ?? ''}' has not reported status for VM agent or extensions.`,
      );
    }
    const run = { ...runScript(script), startedAt: Date.now() };
    return { changes: [{ put: { ...command, state: 'Succeeded', facts: { ...command.facts, run } } }] };
  },
};

export function getRunCommand(simulator: Simulator, request: ArmRequest): Answer {
  return {
    status: 200,
    json: render(requireCommand(simulator, request), request.query.get('$expand')),
  };
}

export function listRunCommands(simulator: Simulator, request: ArmRequest): Answer {
  const expand = request.query.get('$expand');
  const found = commandsOf(simulator, requireVm(simulator, request));
  return page(
    simulator,
    request,
    found.map((command) => render(command, expand)),
  );
}

/** Also ends a script that still runs. */
export function deleteRunCommand(simulator: Simulator, request: ArmRequest): Answer {
  requireWritableGroup(simulator, request);
  const command = simulator.store.find(TYPE, idOf(requireVm(simulator, request), request));
  if (command === undefined) return { status: 204 };
  const operation = simulator.lro.begin({
    kind: 'resource.delete',
    resourceId: command.id,
    location: command.location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: simulator.store.settings.deleteMs,
    changes: [...simulator.lro.preempt([command.id]), { put: { ...command, state: 'Deleting' } }],
  });
  return begun(simulator, operation, { status: 202 });
}

function idOf(vm: Vm, { params }: ArmRequest): string {
  return `${vm.id}/runCommands/${params.command ?? ''}`;
}

function requireCommand(simulator: Simulator, request: ArmRequest): RunCommand {
  const id = idOf(requireVm(simulator, request), request);
  const command = simulator.store.find(TYPE, id);
  if (command === undefined) throw new ArmError(404, 'ResourceNotFound', `The resource ${id} was not found.`);
  return command;
}

function commandsOf(simulator: Simulator, vm: Vm): RunCommand[] {
  const prefix = `${vm.id}/`.toLowerCase();
  return simulator.store.ofType(TYPE).filter(({ id }) => id.toLowerCase().startsWith(prefix));
}

function requireRoom(simulator: Simulator, vm: Vm): void {
  if (commandsOf(simulator, vm).length < COUNT_MAX) return;
  throw new ArmError(
    409,
    'OperationNotAllowed',
    `The virtual machine ${vm.name} has ${COUNT_MAX} run commands already.`,
  );
}

function render(command: RunCommand, expand: string | null = null): JsonObject {
  const withView = expand?.toLowerCase() === 'instanceview' ? { instanceView: instanceView(command) } : {};
  return renderResource(command, withView);
}

function instanceView({ facts }: RunCommand): JsonObject {
  const { run, timeoutSeconds } = facts;
  if (run === null) return { executionState: 'Pending', executionMessage: '', output: '', error: '' };
  const { startedAt, ms, exitCode, output, error } = run;
  const isTimedOut = ms > timeoutSeconds * 1_000;
  const endAt = startedAt + Math.min(ms, timeoutSeconds * 1_000);
  const startTime = new Date(startedAt).toISOString();
  if (Date.now() < endAt) return { executionState: 'Running', startTime, output: '', error: '' };
  const endTime = new Date(endAt).toISOString();
  if (isTimedOut) return { executionState: 'TimedOut', startTime, endTime, output: '', error: '' };
  const executionState = exitCode === 0 ? 'Succeeded' : 'Failed';
  return { executionState, exitCode, output, error, startTime, endTime };
}
