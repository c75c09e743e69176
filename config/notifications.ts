/** Leaf values of the notifications: who is told of what. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { notificationEvents, type NotificationEvent } from '../domain/notification.ts';
import { httpsUrl, leaf, matching } from './values.ts';

const WEBHOOKS_MAX = 20;
const ADDRESSES_MAX = 50;
/** The receiver that `smtp` configures. */
export const MAIL_RECEIVER = 'mail';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

export const secretName = () =>
  matching('the name of a secret: 1-40 lower-case letters, digits, hyphens', NAME);

export const mailAddress = () => leaf('a mail address such as dr@example.com', parseAddress);

function parseAddress(given: string): string | undefined {
  return /^[^\s@<>,;"\\\p{Cc}]+@[^\s@<>,;"\\\p{Cc}]+$/u.test(given) ? given : undefined;
}

/** A list, or the same list as text, in YAML. */
function listOf<T>(
  wanted: string,
  max: number,
  one: (given: unknown, at: number, context: z.RefinementCtx) => T,
) {
  return z.unknown().transform((given, context): readonly T[] => {
    const list = typeof given === 'string' ? fromText(given) : given;
    if (Array.isArray(list) && list.length <= max) return list.map((each, at) => one(each, at, context));
    context.addIssue({ code: 'custom', message: `must be a list of at most ${max} ${wanted}` });
    return z.NEVER;
  });
}

function fromText(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return undefined;
  }
}

/** What of the list cannot be used is told at its place. */
function by<T>(schema: z.ZodType<T>, words: (issue: z.core.$ZodIssue) => string = ({ message }) => message) {
  return (given: unknown, at: number, context: z.RefinementCtx): T => {
    const parsed = schema.safeParse(given);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      context.addIssue({ code: 'custom', path: [at, ...issue.path], message: words(issue) });
    }
    return z.NEVER;
  };
}

export const mailAddresses = () => listOf('mail addresses', ADDRESSES_MAX, by(mailAddress()));

const event = leaf(`one of ${notificationEvents.join(', ')}`, (given) =>
  notificationEvents.find((each): each is NotificationEvent => each === given),
);

export const events = () => listOf('events', notificationEvents.length, by(event));

const webhookSchema = z.strictObject({
  name: matching('a name of 1-40 lower-case letters, digits, hyphens', NAME).refine(
    (name) => name !== MAIL_RECEIVER,
    `must not be "${MAIL_RECEIVER}": that is the receiver of \`notifications.smtp\``,
  ),
  url: httpsUrl(),
  secret: secretName(),
  events: events().prefault([...notificationEvents]),
});

/** @throws never: what is wrong is told at its place in the list */
export const webhooks = () =>
  listOf('webhooks {name, url, secret, events}', WEBHOOKS_MAX, by(webhookSchema, wordsOf)).superRefine(
    (list, context) => {
      const names = list.map(({ name }) => name);
      names.forEach((name, at) => {
        if (names.indexOf(name) === at) return;
        context.addIssue({ code: 'custom', path: [at, 'name'], message: 'must be unique' });
      });
    },
  );

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `there is no ${issue.keys.join(', ')} here; here belong ${Object.keys(webhookSchema.shape).join(', ')}`;
  }
  return issue.code === 'invalid_type' ? 'must be a mapping with name, url, secret, events' : issue.message;
}
