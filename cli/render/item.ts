/** A protected item as one page: what it is, how it fares, what may be done. */
import type { ProtectedItem, ProtectedItemDetail } from '../../api/protected-items.ts';
import { applyLagLine, currentProgress, replicationLine, scrubLine } from './replication.ts';
import { itemVerbName } from '../verbs.ts';
import { duration, facts, kebab, moment, secondsBetween, words } from './text.ts';

export function itemPage(item: ProtectedItemDetail): string {
  const point = item.latestRecoveryPoint;
  const progress = currentProgress(item.activities);
  const target = item.spec?.target;
  return [
    facts([
      ['Machine', `${item.machineName} (${item.itemId})`],
      ['State', words(item.state)],
      ['Health', item.health],
      ['Active location', words(item.activeLocation)],
      ['Direction', `${item.direction === 'forward' ? 'to Azure' : 'home'}${item.paused ? ', paused' : ''}`],
      ['Way home', item.home && wayHome(item.home)],
      ['RPO now', rpo(item)],
      [
        'Newest point',
        point
          ? `${point.pointId}, ${point.consistency}-consistent, ${moment(point.sourceTime)}`
          : item.recoveryPointsProblem && `cannot be read now: ${item.recoveryPointsProblem.message}`,
      ],
      ['Replication', progress && replicationLine(progress)],
      ['Applied', applyLagLine(item.activities)],
      ['Scrub', scrubLine(item.activities)],
      ['Running', item.running && `${kebab(item.running.operation)}, job ${item.running.operationId}`],
      ['Drill', item.drill.state === 'none' ? 'none' : words(item.drill.state)],
      ['Last drill', item.drill.last && lastDrill(item.drill.last)],
      ['Drill machine', item.drill.result && machineOf(item.drill.result)],
      ['Azure machine', item.failover && machineOf(item.failover)],
      ['Target', target && `${target.vmSize} in ${target.location}`],
      ['Policy', item.policyId],
      ['vCenter', item.vcenterId],
      ['Protected since', item.protectedSince && moment(item.protectedSince)],
      ['As of', item.observedFrom === 'workflow' ? undefined : 'the catalogue: Temporal does not answer'],
    ]),
    ...section(
      'Conditions',
      item.conditions.map((c) => `${c.category}: ${c.reason}\n    ${c.suggestion}`),
    ),
    ...section('Operations', item.allowedOperations.map(operationLine)),
  ].join('\n');
}

export function itemSummary(item: ProtectedItem): string[] {
  const running = item.running === undefined ? '' : kebab(item.running.operation);
  return [
    item.machineName,
    words(item.state),
    item.health,
    words(item.activeLocation),
    running,
    item.policyId,
  ];
}

/** Age of the newest recovery point by the source's clock; counted only while the machine is replicated. */
function rpo(item: ProtectedItemDetail): string | undefined {
  const point = item.latestRecoveryPoint;
  if (point === undefined || item.activeLocation !== 'onPremises') return undefined;
  const threshold = item.spec?.policy.rpoThresholdSeconds;
  const age = duration(secondsBetween(point.sourceTime, item.observedAt));
  return threshold === undefined ? age : `${age} (threshold ${duration(threshold)})`;
}

function wayHome({ generation, machineId, isOriginal }: NonNullable<ProtectedItem['home']>): string {
  return `number ${generation}, to ${isOriginal ? 'the original machine' : 'a new machine'} ${machineId}`;
}

/** Only a rehearsal that ran and left nothing behind has proven anything. */
function lastDrill({ clean, endedAt, notes }: NonNullable<ProtectedItem['drill']['last']>): string {
  return `${clean ? 'clean' : 'not clean'}, ended ${moment(endedAt)}${notes === '' ? '' : `: ${notes}`}`;
}

function machineOf(result: NonNullable<ProtectedItem['failover']>): string {
  return `${result.vmId.split('/').at(-1)} at ${result.privateIpAddress} in ${result.resourceGroup}`;
}

function operationLine({ operation, allowed, reason }: ProtectedItem['allowedOperations'][number]): string {
  const verb = itemVerbName(operation);
  return allowed ? `✓ ${verb}` : `✗ ${verb}: ${reason ?? 'not possible now'}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}
