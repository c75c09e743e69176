/** The written form of a recovery plan. `planDocumentSchema` is published as api/recovery-plan.schema.json. */
import { z } from 'zod';
import { parseDurationMs } from '../domain/duration.ts';
import { priceCurrencies } from '../domain/plan/drill-cost.ts';
import type {
  DrillSettings,
  PlanStep,
  PlanTargets,
  RecoveryPlan,
  StepAction,
  StepsAround,
} from '../domain/plan/plan.ts';
import { planRunKinds } from '../domain/plan/plan.ts';
import { nameSchema, subnetIdSchema, textSchema } from './common.ts';

const DAY_SECONDS = 86_400;
const TIMEOUT_SECONDS_MAX = 7 * DAY_SECONDS;
const PARAGRAPH_MAX = 4_000;

const paragraph = z.string().min(1).max(PARAGRAPH_MAX);
const secretName = nameSchema.describe('Name of a secret of the installation; its value is never in a plan');
const port = z.int().min(1).max(65_535);
const machine = textSchema.describe('Name or id of a machine of the plan');

/** Written `90s`, `5m`, `4h`; whole seconds. */
function durationUpTo(secondsMax: number) {
  return z
    .string()
    .regex(/^\d{1,9}(?:s|m|h|d)$/, 'must be a duration such as 90s, 5m or 4h')
    .transform((text) => (parseDurationMs(text) ?? 0) / 1000)
    .refine(
      (seconds) => seconds > 0 && seconds <= secondsMax,
      `must be above 0 and at most ${secondsMax / 3600}h`,
    );
}

const COST_WORDS = `must be an amount above 0 and its currency, such as 25 EUR; Azure has prices in ${priceCurrencies.join(', ')}`;
const costPattern = new RegExp(
  `^(?!0+(?:\\.0+)? )\\d{1,9}(?:\\.\\d{1,2})? (?:${priceCurrencies.join('|')})$`,
);

/** Written `25 EUR`, `9.50 USD`. */
const costSchema = z
  .string(COST_WORDS)
  .regex(costPattern, COST_WORDS)
  .transform((text) => {
    const [amount = '', currency = ''] = text.split(' ');
    return { amount: Number(amount), currency };
  });

const probeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tcp'), machine, port }),
  z.strictObject({
    kind: z.literal('http'),
    machine,
    url: z
      .string()
      .regex(/^https?:\/\/\S+$/, 'must begin with http:// or https://')
      .describe('`{address}` stands for the address of the machine on the side it runs on'),
    status: z.int().min(100).max(599).default(200),
    body: paragraph.exactOptional().describe('The body must hold it'),
  }),
  z.strictObject({
    kind: z.literal('certificate'),
    machine,
    port: port.default(443),
    serverName: textSchema,
    validDays: z.int().min(0).max(3_650).default(0),
  }),
  z.strictObject({
    kind: z.enum(['postgresql', 'mysql']),
    machine,
    port,
    database: textSchema,
    user: textSchema,
    secret: secretName,
    query: paragraph,
    answer: z.string().max(PARAGRAPH_MAX),
  }),
  z.strictObject({ kind: z.literal('bootLog'), machine, pattern: paragraph }),
]);

const manualSchema = z.strictObject({
  text: paragraph.describe('What a person must do or decide'),
  approvers: z.array(textSchema).default([]).describe('Empty: anybody who may decide jobs'),
  onSilence: z
    .enum(['wait', 'approve', 'fail'])
    .default('wait')
    .describe('When nobody answers within the timeout'),
});

const commandSchema = z.strictObject({
  on: z.enum(['site', 'configurationServer']),
  argv: z
    .array(z.string().max(PARAGRAPH_MAX))
    .min(1)
    .max(100)
    .describe('Program and arguments; there is no shell'),
  environment: z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string().max(PARAGRAPH_MAX)).default({}),
  secrets: z.record(z.string().regex(/^[A-Za-z_]\w*$/), secretName).default({}),
});

/** Exactly one of these keys says what a step does. */
const actions = {
  manual: manualSchema,
  command: commandSchema,
  runCommand: z.strictObject({ machine, script: z.array(paragraph).min(1).max(100) }),
  webhook: z.strictObject({
    url: z.string().regex(/^https:\/\/\S+$/, 'must begin with https://'),
    secret: secretName,
  }),
  wait: durationUpTo(DAY_SECONDS),
  probe: probeSchema,
} as const;
const actionKeys = Object.keys(actions) as (keyof typeof actions)[];

/** What a step does, as it is written. */
export const actionSchema = z
  .strictObject({
    manual: actions.manual.exactOptional(),
    command: actions.command.exactOptional(),
    runCommand: actions.runCommand.exactOptional(),
    webhook: actions.webhook.exactOptional(),
    wait: actions.wait.exactOptional(),
    probe: actions.probe.exactOptional(),
  })
  .refine(isOneAction, `must hold exactly one of ${actionKeys.join(', ')}`);

const stepSchema = z
  .strictObject({
    name: nameSchema,
    when: z
      .array(z.enum(planRunKinds))
      .min(1)
      .default([...planRunKinds])
      .describe('Runs in which the step takes part; absent: in all'),
    critical: z.boolean().default(true).describe('A critical step that fails stops its group'),
    timeout: durationUpTo(TIMEOUT_SECONDS_MAX).prefault('10m'),
    retries: z.int().min(0).max(100).default(0),
    undo: actionSchema.exactOptional().describe('Runs when the run is rolled back past this step'),
    ...actionSchema.shape,
  })
  .refine(isOneAction, `must hold exactly one of ${actionKeys.join(', ')}`);
type WrittenStep = z.output<typeof stepSchema>;

const stepsSchema = z
  .strictObject({ before: z.array(stepSchema).default([]), after: z.array(stepSchema).default([]) })
  .prefault({});

const memberSchema = z.union(
  [
    z.strictObject({ machine: textSchema, steps: stepsSchema }),
    z.strictObject({
      tag: textSchema.regex(/^[^/]+\/[^/]+$/, 'must be category/tag').describe('vSphere tag, category/tag'),
    }),
    z.strictObject({
      folder: textSchema
        .regex(/^\/.*[^/]$/, 'must be a path such as /dc1/vm/shop')
        .describe('vCenter folder, with everything below it'),
    }),
  ],
  { error: 'must be one of machine, tag, folder' },
);

const groupSchema = z.strictObject({
  name: nameSchema,
  after: z
    .union([nameSchema.transform((name) => [name]), z.array(nameSchema)])
    .default([])
    .describe('Groups that must be done first; on the way home the order turns round'),
  consistent: z.boolean().default(false).describe('The members share one consistent recovery point'),
  members: z.array(memberSchema).min(1),
  steps: stepsSchema,
});

export const planDocumentSchema = z
  .strictObject({
    apiVersion: z.literal('switchback/v1'),
    kind: z.literal('RecoveryPlan'),
    name: nameSchema,
    description: paragraph.exactOptional(),
    onBusy: z
      .enum(['refuse', 'queue'])
      .default('refuse')
      .describe('When another run holds one of the machines'),
    drill: z
      .strictObject({
        subnet: subnetIdSchema.exactOptional().describe('Subnet of a network that reaches nothing'),
        cleanupAfter: durationUpTo(TIMEOUT_SECONDS_MAX)
          .prefault('4h')
          .describe(
            'A drill that nobody comes back to is cleaned up this long after its run has ended; a run that has not ended this long after it began takes itself back',
          ),
        costLimit: costSchema
          .exactOptional()
          .describe(
            'What the machines of a drill may cost in that time by the price list of Azure, such as 25 EUR; a dearer drill does not begin',
          ),
      })
      .prefault({}),
    targets: z
      .strictObject({
        rpo: durationUpTo(TIMEOUT_SECONDS_MAX)
          .exactOptional()
          .describe('Oldest recovery point that a machine may be started from'),
        rto: durationUpTo(TIMEOUT_SECONDS_MAX)
          .exactOptional()
          .describe('From the begin of a drill, failover or failback to its end'),
      })
      .exactOptional()
      .describe('What runs are measured by; the evidence says whether they were kept'),
    limits: z
      .strictObject({
        machinesAtOnce: z.int().min(1).max(10_000).exactOptional(),
        cores: z.int().min(1).max(1_000_000).exactOptional(),
      })
      .prefault({}),
    steps: stepsSchema,
    groups: z.array(groupSchema).min(1),
  })
  .meta({ title: 'Recovery plan of Switchback' });

export type WrittenPlan = z.output<typeof planDocumentSchema>;

export function planOf(written: WrittenPlan): RecoveryPlan {
  const { kind: _, drill, targets, steps, groups, ...rest } = written;
  return {
    ...rest,
    drill: drillOf(drill),
    ...(targets === undefined ? {} : { targets: targetsOf(targets) }),
    steps: stepsOf(steps),
    groups: groups.map(({ consistent, members, steps: around, ...group }) => ({
      ...group,
      isConsistent: consistent,
      steps: stepsOf(around),
      members: members.map((member) => {
        if ('machine' in member)
          return { by: 'machine', machine: member.machine, steps: stepsOf(member.steps) };
        return 'tag' in member ? { by: 'tag', tag: member.tag } : { by: 'folder', folder: member.folder };
      }),
    })),
  };
}

function drillOf({ subnet, cleanupAfter, costLimit }: WrittenPlan['drill']): DrillSettings {
  return {
    cleanupAfterSeconds: cleanupAfter,
    ...(subnet === undefined ? {} : { subnetId: subnet }),
    ...(costLimit === undefined ? {} : { costLimit }),
  };
}

function targetsOf({ rpo, rto }: NonNullable<WrittenPlan['targets']>): PlanTargets {
  return {
    ...(rpo === undefined ? {} : { rpoSeconds: rpo }),
    ...(rto === undefined ? {} : { rtoSeconds: rto }),
  };
}

function stepsOf({ before, after }: { before: WrittenStep[]; after: WrittenStep[] }): StepsAround {
  return { before: before.map(stepOf), after: after.map(stepOf) };
}

function stepOf(step: WrittenStep): PlanStep {
  const { name, when, critical, timeout, retries, undo } = step;
  return {
    name,
    when,
    isCritical: critical,
    timeoutSeconds: timeout,
    retries,
    does: actionOf(step),
    ...(undo === undefined ? {} : { undo: actionOf(undo) }),
  };
}

type Written = Partial<z.output<typeof actionSchema>>;

export function actionOf({ manual, command, runCommand, webhook, wait, probe }: Written): StepAction {
  if (manual !== undefined) return { kind: 'manual', ...manual };
  if (command !== undefined) return { kind: 'command', ...command };
  if (runCommand !== undefined) return { kind: 'runCommand', ...runCommand };
  if (webhook !== undefined) return { kind: 'webhook', ...webhook };
  if (wait !== undefined) return { kind: 'wait', seconds: wait };
  if (probe !== undefined) return { kind: 'probe', probe };
  throw new RangeError('a step without an action passed the schema');
}

function isOneAction(step: object): boolean {
  return actionKeys.filter((key) => key in step).length === 1;
}
