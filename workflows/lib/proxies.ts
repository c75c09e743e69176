/**
 * Activity proxies, grouped by what a retry means. Queues are chosen per item, so these are functions.
 * Heartbeat timeouts are short: a killed worker is noticed within ten seconds, and every activity here resumes.
 */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { AzureActivities } from '../../activities/azure/create-azure-activities.ts';
import type { CatalogueActivities } from '../../activities/catalog/create-catalogue-activities.ts';
import type { EvidenceActivities } from '../../activities/evidence/create-evidence-activities.ts';
import type { ApplyActivities } from '../../activities/replication/create-apply-activities.ts';
import type { MoveActivities } from '../../activities/replication/create-move-activities.ts';
import type { SiteActivities } from '../../activities/vsphere/create-site-activities.ts';
import type {
  CompareActivities,
  CompareMoveActivities,
  HomeAzureActivities,
  HomeSiteActivities,
  LandActivities,
  ReverseActivities,
} from '../contracts/home.ts';
import type { BootLogActivities } from '../contracts/evidence.ts';
import type { VerifyActivities, VerifyMoveActivities } from '../contracts/verify.ts';
import type { PriceActivities } from '../contracts/plan-look.ts';
import type { PlanActivities, StepActivities } from '../contracts/plan.ts';
import { taskQueues } from '../contracts/task-queues.ts';

type Site = SiteActivities & HomeSiteActivities;
type Azure = AzureActivities & ApplyActivities & HomeAzureActivities & CompareActivities;

/** Quick calls that may be repeated at will. They do not beat: a worker that was killed is noticed by the timeout alone. */
const CALL = {
  startToCloseTimeout: '30 seconds',
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

/** A run that has ended waits for its last record, and whoever asks next waits for the run. */
export const catalogue = proxyActivities<CatalogueActivities>({
  ...CALL,
  startToCloseTimeout: '10 seconds',
  taskQueue: taskQueues.control,
});

export const siteCalls = (site: string) =>
  proxyActivities<Site>({
    ...CALL,
    taskQueue: taskQueues.site(site),
    scheduleToCloseTimeout: ANSWER_WITHIN,
  });

/** Discovery and change tracking: beat, bounded so that a refused machine is reported soon. */
export const siteTasks = (site: string) =>
  proxyActivities<Site>({
    ...LONG,
    taskQueue: taskQueues.site(site),
    scheduleToCloseTimeout: '20 minutes',
  });

/**
 * The site in a failover. On the worst night a site that is lost must not hold a failover up, and a site that works
 * must not be given up: so only silence is bounded. Nobody picks the task up for two minutes, or ten attempts fail.
 */
export const urgentSite = (site: string) =>
  proxyActivities<Site & MoveActivities>({
    ...LONG,
    startToCloseTimeout: '7 days',
    scheduleToStartTimeout: '2 minutes',
    retry: { ...LONG.retry, maximumAttempts: 10 },
    taskQueue: taskQueues.urgentSite(site),
  });

/** The first copy of a machine may take days; it resumes from its last barrier. A few failures in a row are shown as health. */
export const initialCopy = (site: string) =>
  proxyActivities<MoveActivities & CompareMoveActivities & VerifyMoveActivities>({
    ...LONG,
    startToCloseTimeout: '30 days',
    scheduleToStartTimeout: '10 minutes',
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

export const reverseSessions = (region: string) =>
  proxyActivities<ReverseActivities>({ ...SESSION, taskQueue: taskQueues.reverse(region) });

export const landSessions = (site: string) =>
  proxyActivities<LandActivities>({ ...SESSION, taskQueue: taskQueues.land(site) });

/** Watches last as long as sessions; what they see changes nothing, so a few failures are no news. */
export const watches = (site: string) =>
  proxyActivities<HomeSiteActivities>({
    ...SESSION,
    // A process server that picks nothing up sees nothing.
    scheduleToStartTimeout: '2 minutes',
    retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
    taskQueue: taskQueues.site(site),
  });

/** Copies on the way home may take days; they resume. A few failures in a row and an operator decides. */
const HOME_COPY = {
  ...LONG,
  startToCloseTimeout: '30 days',
  // Where nobody picks it up an operator has to know: the machine may be off on both sides.
  scheduleToStartTimeout: '10 minutes',
  retry: { ...LONG.retry, maximumAttempts: 20 },
} as const;

export const reverseCopies = (region: string) =>
  proxyActivities<ReverseActivities>({ ...HOME_COPY, taskQueue: taskQueues.reverse(region) });

export const landings = (site: string) =>
  proxyActivities<LandActivities>({ ...HOME_COPY, taskQueue: taskQueues.land(site) });

/** Is anybody there? An answer soon or none. */
const ANSWER = {
  startToCloseTimeout: '20 seconds',
  scheduleToStartTimeout: '20 seconds',
  scheduleToCloseTimeout: '45 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
} as const;

export const reverseAnswers = (region: string) =>
  proxyActivities<ReverseActivities>({ ...ANSWER, taskQueue: taskQueues.reverse(region) });

export const landAnswers = (site: string) =>
  proxyActivities<LandActivities>({ ...ANSWER, taskQueue: taskQueues.land(site) });

/** Provisioning: retried while the outcome of the error says so, otherwise the run ends and is undone. */
export const azure = (region: string, urgent: boolean) =>
  proxyActivities<Azure>({
    ...LONG,
    scheduleToCloseTimeout: '6 hours',
    taskQueue: urgent ? taskQueues.urgentAzure(region) : taskQueues.azure(region),
  });

/** Applying what is left before a failover: as long as it takes. */
export const drains = (region: string) =>
  proxyActivities<ApplyActivities & CompareActivities & VerifyActivities>({
    ...LONG,
    startToCloseTimeout: '7 days',
    scheduleToStartTimeout: '10 minutes',
    taskQueue: taskQueues.urgentAzure(region),
  });

/** Each retry is a look, which holds a slot for a moment only. */
export const rpoWatches = (region: string) =>
  proxyActivities<ApplyActivities>({
    ...SESSION,
    scheduleToStartTimeout: '2 minutes',
    taskQueue: taskQueues.azure(region),
  });

/** A member's operation takes as long as it takes; its own run has bounds and decisions. */
export const members = proxyActivities<PlanActivities>({
  ...LONG,
  startToCloseTimeout: '30 days',
  taskQueue: taskQueues.plans,
});

/** Written once, boot logs and all; a storage account that is away for long leaves the run without, and its job says so. */
export const evidence = proxyActivities<EvidenceActivities>({
  ...CALL,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10 seconds',
  taskQueue: taskQueues.control,
  scheduleToCloseTimeout: '15 minutes',
});

/** A log that nobody tells is left out, and the evidence says so. */
export const bootLogCalls = (region: string) =>
  proxyActivities<BootLogActivities>({
    taskQueue: taskQueues.stepsAzure(region),
    startToCloseTimeout: '2 minutes',
    scheduleToCloseTimeout: '3 minutes',
    heartbeatTimeout: '10 seconds',
    retry: { initialInterval: '1 second', maximumAttempts: 3 },
  });

export const planCalls = proxyActivities<PlanActivities>({ ...CALL, taskQueue: taskQueues.plans });

/** One try of a plan's step; further ones are the plan's to say, but for a worker that was lost. */
export const stepTries = (taskQueue: string, timeoutSeconds: number) =>
  proxyActivities<StepActivities>({
    taskQueue,
    startToCloseTimeout: (timeoutSeconds + 30) * 1_000,
    scheduleToStartTimeout: '2 minutes',
    heartbeatTimeout: '10 seconds',
    retry: { initialInterval: '1 second', maximumInterval: '10 seconds', maximumAttempts: 5 },
  });

/** A look that answers soon or not at all. */
export const looks = (region: string) =>
  proxyActivities<HomeAzureActivities>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '1 minute',
    taskQueue: taskQueues.azure(region),
  });

/** Whoever asks goes on without the answer. */
export const azureLooks = (region: string) =>
  proxyActivities<Azure & PriceActivities>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '1 minute',
    retry: { initialInterval: '1 second', maximumAttempts: 3 },
    taskQueue: taskQueues.azure(region),
  });

/** Prices for a drill, which is no emergency: without them it does not begin. */
export const priceLooks = (region: string) =>
  proxyActivities<PriceActivities>({
    startToCloseTimeout: '5 minutes',
    scheduleToStartTimeout: '1 minute',
    heartbeatTimeout: '10 seconds',
    retry: { initialInterval: '2 seconds', maximumAttempts: 3 },
    taskQueue: taskQueues.azure(region),
  });

/** Undo and proof: tried for long, because a forgotten machine in Azure costs money and may clash. */
export const azureUndo = (region: string) =>
  proxyActivities<Azure>({
    ...LONG,
    taskQueue: taskQueues.urgentAzure(region),
    scheduleToCloseTimeout: '6 hours',
  });
