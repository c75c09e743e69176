/** Every route of the configuration server. api/openapi.json is made from here; so are the server's checks and the client's types. */
import { healthRoutes } from './health.ts';
import { jobRoutes } from './jobs.ts';
import { machineRoutes } from './machines.ts';
import { policyRoutes } from './policies.ts';
import { protectedItemRoutes } from './protected-items.ts';
import { recoveryPlanRoutes } from './recovery-plans.ts';
import { vcenterRoutes } from './vcenters.ts';

export const contract = {
  ...healthRoutes,
  ...vcenterRoutes,
  ...machineRoutes,
  ...policyRoutes,
  ...protectedItemRoutes,
  ...jobRoutes,
  ...recoveryPlanRoutes,
};

export type Contract = typeof contract;
