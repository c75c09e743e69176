/** Receivers of notifications, from the settings. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../config/load.ts';
import { MAIL_RECEIVER } from '../config/notifications.ts';
import type { NotificationReceiver } from '../domain/ports.ts';
import { createMailReceiver } from '../providers/notify/mail-receiver.ts';
import { createWebhookReceiver } from '../providers/notify/webhook-receiver.ts';
import { createSecretsFolder } from '../providers/steps/secrets-folder.ts';

export async function notificationReceivers(config: Config): Promise<NotificationReceiver[]> {
  const { webhooks, smtp } = config.notifications;
  const { secretsFolder, webhookCaFile } = config.steps;
  const secrets = createSecretsFolder(secretsFolder);
  const hookTrust = await trustIn(webhookCaFile);
  const hooks = webhooks.map((webhook) => createWebhookReceiver({ ...webhook, secrets, ...hookTrust }));
  if (smtp === undefined) return hooks;
  const { caFile, user, passwordSecret, ...rest } = smtp;
  const login = user === undefined || passwordSecret === undefined ? {} : { login: { user, passwordSecret } };
  const trust = await trustIn(caFile);
  return [...hooks, createMailReceiver({ name: MAIL_RECEIVER, ...rest, ...login, ...trust, secrets })];
}

async function trustIn(caFile: string | undefined): Promise<{ readonly tlsCa?: string }> {
  return caFile === undefined ? {} : { tlsCa: await readFile(caFile, 'utf8') };
}
