/** Recovery plans as the configuration server keeps them. */
import { z } from 'zod';
import { planChangeKinds, planParts } from '../domain/plan/diff.ts';
import type { RecoveryPlan } from '../domain/plan/plan.ts';
import { nameSchema, pageOf, pageQuery, timestampSchema, verification } from './common.ts';
import { PLAN_CHARACTERS_MAX } from './plan-text.ts';
import { route } from './route.ts';

const planVersionSchema = z
  .object({
    name: z.string(),
    version: z.number().int().describe('From 1; the highest is in force'),
    sha256: z.string().describe('Of the text as it was applied, hexadecimal'),
    author: z.string().describe('Principal of the token it was applied with'),
    appliedAt: timestampSchema,
  })
  .meta({ id: 'PlanVersion' });

const listedPlanSchema = planVersionSchema
  .extend({ description: z.string().optional(), groupCount: z.number().int(), ...verification })
  .meta({ id: 'ListedPlan' });

/** The server has read it; what its fields mean is domain/plan/plan.ts. */
const meaningSchema = z.looseObject({}).meta({
  id: 'RecoveryPlan',
  description: 'The document with every default spelled out; durations are seconds',
}) as unknown as z.ZodType<RecoveryPlan>;

const storedPlanSchema = planVersionSchema
  .extend({
    text: z.string().describe('YAML, as it was applied'),
    plan: meaningSchema,
    verified: verification.verified
      .optional()
      .describe('Of the newest version: absent where one was asked for by number'),
    notVerified: verification.notVerified,
    lastGoodDrillAt: verification.lastGoodDrillAt,
  })
  .meta({ id: 'StoredPlan' });

const planChangeSchema = z
  .object({
    change: z.enum(planChangeKinds),
    part: z.enum(planParts),
    name: z.string().describe('Of the group or step; of a member, its selector; of an order, its place'),
    place: z.string().optional().describe('Where it stands: `group web`, `after machine db-01`'),
    fields: z
      .array(z.object({ field: z.string(), from: z.string().nullable(), to: z.string().nullable() }))
      .optional()
      .describe('Null: absent there'),
  })
  .meta({ id: 'PlanChange' });

const appliedPlanSchema = planVersionSchema
  .extend({
    outcome: z
      .enum(['created', 'changed', 'unchanged'])
      .describe('`unchanged`: the newest version has that very text, and nothing was stored'),
    changes: z
      .array(planChangeSchema)
      .describe('Against the version before, by meaning; empty for the first one'),
  })
  .meta({ id: 'AppliedPlan' });
export type AppliedPlan = z.output<typeof appliedPlanSchema>;

const planMembersSchema = z
  .object({
    name: z.string(),
    version: z.number().int(),
    ...verification,
    groups: z.array(
      z.object({
        group: z.string(),
        members: z.array(z.object({ machineId: z.string(), itemId: z.string(), name: z.string() })),
      }),
    ),
    problems: z
      .array(
        z.object({
          group: z.string(),
          selector: z.string().describe('As it is written in the plan'),
          reason: z.string(),
        }),
      )
      .describe('Why a run would not begin now'),
    drift: z
      .array(
        z.object({
          machineId: z.string(),
          name: z.string(),
          tags: z.array(z.string()).optional(),
          folder: z.string().optional(),
        }),
      )
      .describe('Machines that a tag or folder of any plan selects, and that are in no plan'),
  })
  .meta({ id: 'PlanMembers' });
export type PlanMembers = z.output<typeof planMembersSchema>;

const planParams = z.object({ name: nameSchema });
/** Text in JSON, every character escaped. */
const BODY_BYTES_MAX = 6 * PLAN_CHARACTERS_MAX + 1_024;

export const recoveryPlanRoutes = {
  applyPlan: route({
    method: 'PUT',
    path: '/v1/recovery-plans/:name',
    summary:
      'Stores a recovery plan as its next version; the text of the newest version again stores nothing',
    params: planParams,
    body: z.strictObject({
      text: z
        .string()
        .min(1)
        .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be text without zero characters')
        .describe('YAML; api/recovery-plan.schema.json describes it. Its name is that of the path'),
    }),
    bodyBytesMax: BODY_BYTES_MAX,
    status: 200,
    response: appliedPlanSchema,
  }),
  listPlans: route({
    method: 'GET',
    path: '/v1/recovery-plans',
    summary: 'Recovery plans by name, each with its newest version and whether that is verified',
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(listedPlanSchema),
  }),
  getPlan: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name',
    summary: 'One version of a recovery plan, as text and as it is understood',
    params: planParams,
    query: z.strictObject({
      version: z.coerce
        .number()
        .int()
        .min(1)
        .max(2_147_483_647)
        .exactOptional()
        .describe('Absent: the newest'),
    }),
    status: 200,
    response: storedPlanSchema,
  }),
  listPlanVersions: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name/versions',
    summary: 'Versions of a recovery plan, newest first',
    params: planParams,
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(planVersionSchema),
  }),
  getPlanMembers: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name/members',
    summary: 'Which machines a run of the newest version would take now, and which are in no plan',
    params: planParams,
    status: 200,
    response: planMembersSchema,
  }),
};
