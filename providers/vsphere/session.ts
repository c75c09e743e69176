/**
 * The one session of this process with a vCenter. Logs in on first use, once for all callers that wait;
 * keeps itself alive; notices that it was lost and logs in again.
 */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { VCenterConnection } from '../../domain/ports.ts';
import { type Answer, createVimClient, type JsonAnswer, type JsonRequest, type VimClient } from './client.ts';
import { isFault, SessionLost } from './faults.ts';
import { requests, type ServiceRefs, type VimRequest } from './requests.ts';
import { asRecord, type MoRef, moRefSchema } from './values.ts';

/** vCenter ends a session after 30 min without a call. */
const KEEP_ALIVE_SECONDS = 600;
/** How often one piece of work starts over because its session was lost. */
const RESTARTS_MAX = 3;

const serviceContentSchema = z.object({
  rootFolder: moRefSchema,
  propertyCollector: moRefSchema,
  viewManager: moRefSchema,
  searchIndex: moRefSchema,
  sessionManager: moRefSchema,
  authorizationManager: moRefSchema,
  about: z.object({
    fullName: z.string(),
    version: z.string(),
    apiVersion: z.string(),
    instanceUuid: z.string().default(''),
  }),
});

export type ServiceContent = z.output<typeof serviceContentSchema>;

interface Endpoint {
  readonly client: VimClient;
  readonly service: ServiceContent;
}

export class VimSession {
  readonly connection: VCenterConnection;
  #endpoint: Promise<Endpoint> | null = null;
  #cookie: Promise<string> | null = null;
  #keepAlive: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(connection: VCenterConnection) {
    this.connection = connection;
  }

  async service(): Promise<ServiceContent> {
    return (await this.#connect()).service;
  }

  /**
   * Sends a request in the session and returns its `returnval`.
   * @throws SessionLost when the session was lost and the request must not be repeated blindly; VimFault
   */
  async call(
    build: VimRequest | ((service: ServiceRefs) => VimRequest),
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { client, service } = await this.#connect();
    const request = typeof build === 'function' ? build(service) : build;
    const send = async (): Promise<Answer> => {
      const cookie = await this.#login();
      return client.call(request, { cookie, signal }).catch(async (error: unknown) => {
        if (!isFault(error, 'NotAuthenticated')) throw error;
        await this.#forget(cookie);
        throw new SessionLost();
      });
    };
    const answer = await send().catch((error: unknown) => {
      if (error instanceof SessionLost && request.mayRepeat) return send();
      throw error;
    });
    return answer.value;
  }

  /**
   * Sends a request about `object`, which dies with its session (a view, a collector). When only the object is
   * gone, another caller has logged in again already.
   * @throws SessionLost in either case
   */
  async callBound(
    object: MoRef,
    build: VimRequest | ((service: ServiceRefs) => VimRequest),
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.call(build, signal).catch((error: unknown) => {
      throw isGone(error, object) ? new SessionLost() : error;
    });
  }

  /** Runs a piece of work again from its start when the session is lost under it; the work finds what it did before. */
  async resume<T>(work: () => Promise<T>): Promise<T> {
    for (let restarts = 0; ; restarts += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof SessionLost) || restarts === RESTARTS_MAX) throw error;
      }
    }
  }

  /** A JSON request to another service of the same host that accepts the session's cookie. Logs in again once on 401. */
  async requestJson(request: {
    readonly method: 'POST' | 'DELETE';
    readonly path: string;
    readonly body?: unknown;
    readonly signal?: AbortSignal;
  }): Promise<{ readonly status: number; readonly body: unknown }> {
    const { client } = await this.#connect();
    const send = async () => {
      const cookie = await this.#login();
      const answer = await client.json({ ...request, headers: { Cookie: cookie } });
      if (answer.status === 401) await this.#forget(cookie);
      return answer;
    };
    const answer = await send();
    return answer.status === 401 ? send() : answer;
  }

  /** A JSON request to a service of the same host that has sessions of its own; any status is an answer. */
  async requestForeign(request: JsonRequest): Promise<JsonAnswer> {
    const { client } = await this.#connect();
    return client.json(request);
  }

  /** Logs out, quietly when vCenter is gone. Later calls are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#keepAlive);
    const endpoint = await this.#endpoint?.catch(() => null);
    const cookie = await this.#cookie?.catch(() => null);
    if (endpoint === null || endpoint === undefined) return;
    if (typeof cookie === 'string') {
      await endpoint.client.call(requests.logout(endpoint.service), { cookie }).catch(() => undefined);
    }
    endpoint.client.close();
  }

  #connect(): Promise<Endpoint> {
    if (this.#isClosed) {
      const reason = 'this process is shutting down';
      return Promise.reject(new DrError('DR_VCENTER_UNREACHABLE', { url: this.connection.url, reason }));
    }
    this.#endpoint ??= this.#openEndpoint().catch((error: unknown) => {
      this.#endpoint = null;
      throw error;
    });
    return this.#endpoint;
  }

  async #openEndpoint(): Promise<Endpoint> {
    const client = await createVimClient(this.connection);
    try {
      const { value } = await client.call(requests.retrieveServiceContent());
      const service = serviceContentSchema.parse(value);
      client.agreeOn(service.about.apiVersion);
      return { client, service };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  #login(): Promise<string> {
    if (this.#cookie !== null) return this.#cookie;
    const login = this.#requestCookie();
    this.#cookie = login;
    login.catch(() => {
      if (this.#cookie === login) this.#cookie = null;
    });
    return login;
  }

  async #requestCookie(): Promise<string> {
    const { client, service } = await this.#connect();
    const { username, password, url } = this.connection;
    const answer = await client.call(requests.login(service, username, password)).catch((error: unknown) => {
      if (isFault(error, 'InvalidLogin')) throw new DrError('DR_VCENTER_CREDENTIALS', { url, username });
      throw error;
    });
    if (answer.cookie === undefined) {
      throw new DrError('DR_VCENTER_UNREACHABLE', {
        url,
        reason: 'login was answered without a session cookie',
      });
    }
    this.#keepAlive ??= setInterval(() => this.#touch(), KEEP_ALIVE_SECONDS * 1000).unref();
    return answer.cookie;
  }

  #touch(): void {
    this.call(requests.currentTime()).catch(() => undefined);
  }

  /** Drops the cookie, unless another caller has got a new one already. */
  async #forget(lost: string): Promise<void> {
    const held = this.#cookie;
    const cookie = await held?.catch(() => undefined);
    if (cookie === lost && this.#cookie === held) this.#cookie = null;
  }
}

/** Whether a call failed because that very object does not exist any more. */
export function isGone(error: unknown, object: MoRef): boolean {
  return (
    isFault(error, 'ManagedObjectNotFound') && asRecord(error.detail['obj'])?.['$value'] === object.$value
  );
}
