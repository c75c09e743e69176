/** Notifications as signed posts: the same signature and the same rules as webhook steps of plans. */
import { DrError } from '../../domain/errors.ts';
import type { NotificationEvent } from '../../domain/notification.ts';
import type { NotificationReceiver, StepSecrets } from '../../domain/ports.ts';
import { postWebhook, type WebhookAnswer } from '../steps/webhook.ts';

export interface WebhookReceiverOptions {
  readonly name: string;
  readonly url: string;
  /** Name of the secret that signs. */
  readonly secret: string;
  readonly events: readonly NotificationEvent[];
  readonly secrets: StepSecrets;
  /** PEM of a further authority to trust. */
  readonly tlsCa?: string;
}

export function createWebhookReceiver(options: WebhookReceiverOptions): NotificationReceiver {
  const { name, url, secret, events, secrets, tlsCa } = options;
  return {
    name,
    events,
    async send(notification, signal) {
      const post = {
        url,
        body: JSON.stringify(notification),
        secret: await secrets.secret(secret),
        idempotencyKey: notification.id,
        ...(tlsCa === undefined ? {} : { tlsCa }),
      };
      const { status, ms, text } = await answered(name, () => postWebhook(post, signal));
      const detail = `${status} in ${ms} ms`;
      if (status >= 200 && status <= 299) return { detail };
      throw refused(name, text === '' ? detail : `${detail}: ${text}`);
    },
  };
}

async function answered(name: string, post: () => Promise<WebhookAnswer>): Promise<WebhookAnswer> {
  try {
    return await post();
  } catch (error) {
    throw refused(name, `no answer: ${reasonOf(error)}`, error);
  }
}

function reasonOf(error: unknown): string {
  if (!Error.isError(error)) return 'unknown';
  if (error.name === 'TimeoutError') return 'its time was over';
  return error.message || ('code' in error ? String(error.code) : error.name);
}

function refused(receiver: string, reason: string, cause?: unknown): DrError {
  return new DrError('DR_NOTIFICATION_FAILED', { receiver, reason }, { cause });
}
