/** What people are told of without asking. */

/** `test` is asked for, and goes to every receiver whatever it listens to. */
export const notificationEvents = [
  'waitingForInput',
  'failed',
  'drillMissed',
  'readinessLost',
  'readinessRegained',
] as const;
export type NotificationEvent = (typeof notificationEvents)[number];

export interface NoticeAbout {
  readonly job?: string;
  /** The task of the job that waits. */
  readonly task?: string;
  readonly plans?: readonly string[];
  readonly machines?: readonly string[];
}

export interface Notice {
  /** The same whenever the same thing is noticed again: the notification's id is made of it. */
  readonly key: string;
  readonly event: NotificationEvent;
  /** One line. */
  readonly subject: string;
  /** Plain text: what, since when, what to do now. Never a secret. */
  readonly text: string;
  readonly about: NoticeAbout;
}

export interface Notification extends Omit<Notice, 'key' | 'event'> {
  /** The same in every delivery: receivers drop repetitions by it. */
  readonly id: string;
  readonly event: NotificationEvent | 'test';
  /** ISO 8601 UTC. */
  readonly at: string;
}

/** `waiting`: for its first try or its next one. `givenUp`: nobody tries any more. */
export const deliveryStates = ['waiting', 'sent', 'givenUp'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** A try that failed is repeated for this long, counted from when the notification was made. */
export const GIVE_UP_AFTER_SECONDS = 24 * 3_600;
const FIRST_PAUSE_SECONDS = 30;
const PAUSE_SECONDS_MAX = 3_600;

/** From the begin of a try, the first of which is 1, to the begin of the next: 30 s, 1 min, 2 min, … at most 1 h. */
export function pauseSeconds(tries: number): number {
  return Math.min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2 ** Math.min(tries - 1, 20));
}

/** ISO 8601 to the second, as people read it; still UTC. */
export function noticeTime(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}
