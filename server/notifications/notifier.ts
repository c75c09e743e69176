/** Hands notifications to their receivers: at least once each, in the order of their age, until a day is over. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { DrError } from '../../domain/errors.ts';
import { GIVE_UP_AFTER_SECONDS, type Notification } from '../../domain/notification.ts';
import type { NotificationReceiver } from '../../domain/ports.ts';
import type { ClaimedDelivery, Outbox } from '../catalogue/notifications.ts';

/** Of one try: less than the shortest pause, so that none is begun while another goes on. */
const TRY_MS = 20_000;
/** To one receiver in one round. */
const DELIVERIES_MAX = 100;
const KEPT_MS = 90 * 24 * 3_600_000;

export interface NotifierParts {
  readonly outbox: Outbox;
  readonly receivers: readonly NotificationReceiver[];
  readonly log: Logger;
  /** Absent: the clock of this machine. */
  readonly now?: () => Date;
}

export interface TestedReceiver {
  readonly receiver: string;
  readonly ok: boolean;
  /** What it answered, or why it could not be told. */
  readonly detail: string;
}

export class Notifier {
  readonly #outbox: Outbox;
  readonly #receivers: readonly NotificationReceiver[];
  readonly #log: Logger;
  readonly #now: () => Date;

  constructor({ outbox, receivers, log, now = () => new Date() }: NotifierParts) {
    this.#outbox = outbox;
    this.#receivers = receivers;
    this.#log = log;
    this.#now = now;
  }

  /** Names. */
  get receivers(): readonly string[] {
    return this.#receivers.map(({ name }) => name);
  }

  /** Gives what is new to those who are to have it, and forgets what is old. */
  async address(): Promise<void> {
    const now = this.#now();
    await this.#outbox.address(this.#receivers, now);
    await this.#outbox.forget(new Date(now.getTime() - KEPT_MS));
  }

  /** Everything that is due to this receiver; one that takes one not is left alone until the next round. */
  async deliverTo(name: string, signal: AbortSignal): Promise<void> {
    const receiver = this.#receivers.find((each) => each.name === name);
    if (receiver === undefined) return;
    for (let sent = 0; sent < DELIVERIES_MAX && !signal.aborted; sent += 1) {
      const claimed = await this.#outbox.claim(name, this.#now());
      if (claimed === undefined || !(await this.#try(receiver, claimed, signal))) return;
    }
  }

  /** Tells every receiver once, whatever it listens to; nothing of it is kept. */
  test(principal: string): Promise<TestedReceiver[]> {
    const notification: Notification = {
      id: randomUUID().replaceAll('-', ''),
      event: 'test',
      at: this.#now().toISOString(),
      subject: 'A test',
      text: `${principal} tries whether notifications arrive here. There is nothing to do.`,
      about: {},
    };
    return Promise.all(
      this.#receivers.map(async (receiver): Promise<TestedReceiver> => {
        const { name } = receiver;
        try {
          const { detail, problem } = await receiver.send(notification, AbortSignal.timeout(TRY_MS));
          return { receiver: name, ok: problem === undefined, detail: problem ?? detail };
        } catch (error) {
          if (!(error instanceof DrError)) this.#log.error({ err: error, receiver: name }, 'a test failed');
          return { receiver: name, ok: false, detail: reasonOf(error) };
        }
      }),
    );
  }

  async #try(
    receiver: NotificationReceiver,
    { notification, tries }: ClaimedDelivery,
    signal: AbortSignal,
  ): Promise<boolean> {
    const place = { notificationId: notification.id, receiver: receiver.name };
    const told = { receiver: receiver.name, notification: notification.id, event: notification.event, tries };
    try {
      const bound = AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)]);
      const { detail, problem } = await receiver.send(notification, bound);
      this.#log.info({ ...told, detail, problem }, 'notification sent');
      const partly = problem === undefined ? {} : { problem };
      await this.#outbox.record(place, { state: 'sent', at: this.#now(), ...partly });
      return true;
    } catch (error) {
      if (!(error instanceof DrError) || signal.aborted) throw error;
      const at = this.#now();
      const isOver = at.getTime() - Date.parse(notification.at) >= GIVE_UP_AFTER_SECONDS * 1_000;
      const problem = reasonOf(error);
      await this.#outbox.record(place, { state: isOver ? 'givenUp' : 'waiting', at, problem });
      if (isOver) this.#log.error({ ...told, problem }, 'notification given up');
      else this.#log.warn({ ...told, problem }, 'notification not taken, tried again');
      return false;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof DrError ? error.message : 'unexpected failure; the log has it';
}
