/** Task queues, one per class of work and place: a queue is the bulkhead between them. */
export const taskQueues = {
  /** Workflows and catalogue writes; polled by the configuration server. */
  control: 'control',
  /** vSphere calls of a site; polled by its process server. */
  site: (site: string) => `site.${site}`,
  /** Bytes leaving a site. */
  move: (site: string) => `move.${site}`,
  /** Segments applied to replicas of a region; polled by the recovery-site worker. */
  apply: (region: string) => `apply.${region}`,
  /** Bytes on the way home leave a region here; polled by the process server that runs in Azure for that time. */
  reverse: (region: string) => `reverse.${region}`,
  /** Failback data written into VMware disks; polled by the site's master target. */
  land: (site: string) => `land.${site}`,
  /** Azure provisioning of a region. */
  azure: (region: string) => `azure.${region}`,
  /** Runs of plans driving their machines; polled by the configuration server. */
  plans: 'plans',
  /** Steps of plans, where they are carried out: configuration server, process server, recovery-site worker. */
  steps: 'steps',
  stepsSite: (site: string) => `steps.site.${site}`,
  stepsAzure: (region: string) => `steps.azure.${region}`,
  /** Reserved slots for failover: replication can never use them up. */
  urgentSite: (site: string) => `urgent.site.${site}`,
  urgentAzure: (region: string) => `urgent.azure.${region}`,
} as const;
