/** Where notifications go. */
import type { Notification, NotificationEvent } from '../notification.ts';

export interface SentNotification {
  /** What the receiver answered, for people: `204 in 12 ms`. */
  readonly detail: string;
  /** It was taken, but not for everybody. */
  readonly problem?: string;
}

export interface NotificationReceiver {
  /** Unique in the configuration; deliveries are kept under it. */
  readonly name: string;
  readonly events: readonly NotificationEvent[];
  /** One try. @throws DR_NOTIFICATION_FAILED, DR_SECRET_UNKNOWN */
  send(notification: Notification, signal: AbortSignal): Promise<SentNotification>;
}
