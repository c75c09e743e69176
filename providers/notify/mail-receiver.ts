/** Notifications as mail, handed to one SMTP server. */
import { createTransport } from 'nodemailer';
import { DrError } from '../../domain/errors.ts';
import type { Notification, NotificationEvent } from '../../domain/notification.ts';
import type { NotificationReceiver, Secret, StepSecrets } from '../../domain/ports.ts';
import { unlessAborted } from '../azure/deadline.ts';
import { oneLine, redact } from '../steps/redact.ts';
import { trust } from '../steps/webhook.ts';

export interface MailOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `starttls`: refused unless the server offers it; `none`: only on this machine. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  readonly login?: { readonly user: string; readonly passwordSecret: string };
  readonly from: string;
  readonly to: readonly string[];
  readonly events: readonly NotificationEvent[];
  readonly secrets: StepSecrets;
  /** PEM of a further authority to trust. */
  readonly tlsCa?: string;
}

/** Of each answer of the server; the whole try is bounded by its caller. */
const ANSWER_MS = 10_000;
const REASON_LENGTH_MAX = 300;

/** The message id is that of the notification: mail systems drop repetitions by it. */
export function createMailReceiver(options: MailOptions): NotificationReceiver {
  const { name, events, from, to, login, secrets } = options;
  return {
    name,
    events,
    async send(notification, signal) {
      signal.throwIfAborted();
      const password = login === undefined ? undefined : await secrets.secret(login.passwordSecret);
      const transport = createTransport(transportOf(options, password));
      const message = { from, to: [...to], ...contentOf(notification, from) };
      try {
        // What is given up here the server may still take: a repetition has the same id.
        const { response, rejected } = await unlessAborted(transport.sendMail(message), signal);
        const detail = oneLine(response, REASON_LENGTH_MAX);
        if (rejected.length === 0) return { detail };
        return { detail, problem: `not taken for ${rejected.map(addressOf).join(', ')}` };
      } catch (error) {
        const context = { receiver: name, reason: reasonOf(error, credentialsOf(login?.user, password)) };
        throw new DrError('DR_NOTIFICATION_FAILED', context);
      } finally {
        transport.close();
      }
    },
  };
}

function transportOf({ host, port, tls, login, tlsCa }: MailOptions, password: Secret | undefined) {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2' as const, ...trust(tlsCa) },
    ...(login === undefined || password === undefined
      ? {}
      : { auth: { user: login.user, pass: password.reveal() } }),
    connectionTimeout: ANSWER_MS,
    greetingTimeout: ANSWER_MS,
    socketTimeout: ANSWER_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

function contentOf({ id, event, subject, text, at }: Notification, from: string) {
  return {
    subject: `[switchback] ${oneLine(subject, REASON_LENGTH_MAX)}`,
    text: `${text}\n\n-- \nNotification ${id}\n`,
    date: new Date(at),
    messageId: `<${id}@${from.split('@')[1] ?? 'switchback'}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Switchback-Event': event },
  };
}

/** The password as it is, and as AUTH LOGIN and AUTH PLAIN send it (RFC 4616). */
function credentialsOf(user: string | undefined, password: Secret | undefined): string[] {
  if (password === undefined) return [];
  const secret = password.reveal();
  return [secret, ...[secret, `\0${user}\0${secret}`].map((sent) => Buffer.from(sent).toString('base64'))];
}

/** A server that repeats what it was sent repeats no password. */
function reasonOf(error: unknown, credentials: readonly string[]): string {
  if (!Error.isError(error)) return 'unknown';
  const reason = error.name === 'TimeoutError' ? 'its time was over' : error.message;
  return oneLine(redact(reason, credentials), REASON_LENGTH_MAX);
}

function addressOf(recipient: string | { readonly address: string }): string {
  return typeof recipient === 'string' ? recipient : recipient.address;
}
