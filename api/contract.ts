/** Every route of the configuration server. api/openapi.json is made from here; so are the server's checks and the client's types. */
import { evidenceRoutes } from './evidence.ts';
import { healthRoutes } from './health.ts';
import { jobRoutes } from './jobs.ts';
import { machineRoutes } from './machines.ts';
import { notificationRoutes } from './notifications.ts';
import { planRunRoutes } from './plan-runs.ts';
import { planScheduleRoutes } from './plan-schedules.ts';
import { planSimulationRoutes } from './plan-simulations.ts';
import { policyRoutes } from './policies.ts';
import { protectedItemRoutes } from './protected-items.ts';
import { readinessRoutes } from './readiness.ts';
import { recoveryPlanRoutes } from './recovery-plans.ts';
import { vcenterRoutes } from './vcenters.ts';

export const contract = {
  ...healthRoutes,
  ...vcenterRoutes,
  ...machineRoutes,
  ...policyRoutes,
  ...planRunRoutes,
  ...planScheduleRoutes,
  ...planSimulationRoutes,
  ...protectedItemRoutes,
  ...jobRoutes,
  ...evidenceRoutes,
  ...recoveryPlanRoutes,
  ...readinessRoutes,
  ...notificationRoutes,
};

export type Contract = typeof contract;
