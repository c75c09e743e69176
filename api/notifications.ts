/** What people are told of without asking, and whether it reached them. */
import { z } from 'zod';
import { deliveryStates, notificationEvents } from '../domain/notification.ts';
import { pageOf, pageQuery, timestampSchema } from './common.ts';
import { route } from './route.ts';

const deliverySchema = z.object({
  receiver: z.string().describe('Name in the configuration; `mail` is that of `notifications.smtp`'),
  state: z
    .enum(deliveryStates)
    .describe('`waiting` for its first or next try; `givenUp`: nobody tries any more'),
  tries: z.number().int(),
  nextAt: timestampSchema.optional().describe('While it waits'),
  endedAt: timestampSchema.optional(),
  problem: z.string().optional().describe('Of the last try'),
});

const notificationSchema = z
  .object({
    id: z.string().describe('The same in every delivery: receivers drop repetitions by it'),
    event: z.enum([...notificationEvents, 'test']),
    at: timestampSchema,
    subject: z.string(),
    text: z.string().describe('Plain text: what, since when, what to do now'),
    about: z.object({
      job: z.string().optional(),
      task: z.string().optional(),
      plans: z.array(z.string()).optional(),
      machines: z.array(z.string()).optional(),
    }),
  })
  .meta({ id: 'Notification', description: 'Also the body of what webhooks are sent' });

const listedNotificationSchema = notificationSchema
  .extend({ deliveries: z.array(deliverySchema).describe('Empty: no receiver listens to it') })
  .meta({ id: 'ListedNotification' });
export type ListedNotification = z.output<typeof listedNotificationSchema>;

const testedReceiverSchema = z
  .object({
    receiver: z.string(),
    ok: z.boolean(),
    detail: z.string().describe('What it answered, or why it could not be told'),
  })
  .meta({ id: 'TestedReceiver' });

export const notificationRoutes = {
  listNotifications: route({
    method: 'GET',
    path: '/v1/notifications',
    summary: 'Notifications of the last 90 days, newest first, each with its deliveries',
    query: z.strictObject({
      state: z.enum(deliveryStates).exactOptional().describe('Only those with such a delivery'),
      ...pageQuery,
    }),
    status: 200,
    response: pageOf(listedNotificationSchema),
  }),
  testNotifications: route({
    method: 'POST',
    path: '/v1/notifications/test',
    summary: 'Sends a test to every receiver, and says of each what happened',
    status: 200,
    response: z.object({ receivers: z.array(testedReceiverSchema) }),
  }),
};
