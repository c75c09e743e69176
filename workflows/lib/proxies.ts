/**
 * Activity proxies, grouped by what a retry means. Queues are chosen per item, so these are functions.
 * Heartbeat timeouts are short: a killed worker is noticed within ten seconds, and every activity here resumes.
 */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { AzureActivities } from '../../activities/azure/create-azure-activities.ts';
import type { CatalogueActivities } from '../../activities/catalog/create-catalogue-activities.ts';
import type { ApplyActivities } from '../../activities/replication/create-apply-activities.ts';
import type { MoveActivities } from '../../activities/replication/create-move-activities.ts';
import type { SiteActivities } from '../../activities/vsphere/create-site-activities.ts';
import { taskQueues } from '../contracts/task-queues.ts';

/** Quick calls that may be repeated at will. */
const CALL = {
  startToCloseTimeout: '2 minutes',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
} as const;

/** Long operations that beat and pick up where they were. */
const LONG = {
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
} as const;

/** A quick call is given up after this, so that an operator gets an answer while a site is out of reach. */
const ANSWER_WITHIN = '90 seconds';

export const catalogue = proxyActivities<CatalogueActivities>({ ...CALL, taskQueue: taskQueues.control });

export const siteCalls = (site: string) =>
  proxyActivities<SiteActivities>({
    ...CALL,
    taskQueue: taskQueues.site(site),
    scheduleToCloseTimeout: ANSWER_WITHIN,
  });

/** Discovery and change tracking: beat, bounded so that a refused machine is reported soon. */
export const siteTasks = (site: string) =>
  proxyActivities<SiteActivities>({
    ...LONG,
    taskQueue: taskQueues.site(site),
    scheduleToCloseTimeout: '20 minutes',
  });

/**
 * The site in a failover. On the worst night a site that is lost must not hold a failover up, and a site that works
 * must not be given up: so only silence is bounded. Nobody picks the task up for two minutes, or ten attempts fail.
 */
export const urgentSite = (site: string) =>
  proxyActivities<SiteActivities & MoveActivities>({
    ...LONG,
    startToCloseTimeout: '7 days',
    scheduleToStartTimeout: '2 minutes',
    retry: { ...LONG.retry, maximumAttempts: 10 },
    taskQueue: taskQueues.urgentSite(site),
  });

/** The first copy of a machine may take days; it resumes from its last barrier. A few failures in a row are shown as health. */
export const initialCopy = (site: string) =>
  proxyActivities<MoveActivities>({
    ...LONG,
    startToCloseTimeout: '30 days',
    retry: { ...LONG.retry, maximumAttempts: 4 },
    taskQueue: taskQueues.move(site),
  });

/** Sessions: each retry is a cycle, see activities/replication/session-loop.ts. */
const SESSION = {
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 1 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

export const shipSessions = (site: string) =>
  proxyActivities<MoveActivities>({ ...SESSION, taskQueue: taskQueues.move(site) });

export const applySessions = (region: string) =>
  proxyActivities<ApplyActivities>({ ...SESSION, taskQueue: taskQueues.apply(region) });

/** Provisioning: retried while the outcome of the error says so, otherwise the run ends and is undone. */
export const azure = (region: string, urgent: boolean) =>
  proxyActivities<AzureActivities & ApplyActivities>({
    ...LONG,
    scheduleToCloseTimeout: '6 hours',
    taskQueue: urgent ? taskQueues.urgentAzure(region) : taskQueues.azure(region),
  });

/** Applying what is left before a failover: as long as it takes. */
export const drains = (region: string) =>
  proxyActivities<ApplyActivities>({
    ...LONG,
    startToCloseTimeout: '7 days',
    taskQueue: taskQueues.urgentAzure(region),
  });

/** A look that answers soon or not at all. */
export const looks = (region: string) =>
  proxyActivities<ApplyActivities>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '1 minute',
    taskQueue: taskQueues.azure(region),
  });

/** Undo and proof: tried for long, because a forgotten machine in Azure costs money and may clash. */
export const azureUndo = (region: string) =>
  proxyActivities<AzureActivities & ApplyActivities>({
    ...LONG,
    taskQueue: taskQueues.urgentAzure(region),
    scheduleToCloseTimeout: '6 hours',
  });
