import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { answerDiskBlob, isDiskBlobPath } from './disk-blob.ts';
import { faultAnswer, takeFault } from './faults.ts';
import type { Answer, ArmRequest } from './http.ts';
import { ArmError, readBody, sendAnswer } from './http.ts';
import { KeyedLock } from './keyed-lock.ts';
import { labRoutes } from './lab-routes.ts';
import type { Fault, JsonObject } from './model.ts';
import type { Route } from './router.ts';
import { findRoute } from './router.ts';
import { routes } from './routes.ts';
import { answerBootDiagnostics, isBootDiagnosticsPath } from './resources/boot-diagnostics.ts';
import { answerPrices, isPricesPath } from './resources/prices.ts';
import type { Simulator } from './simulator.ts';
import type { TokenService } from './token.ts';

const READING = new Set(['GET', 'HEAD']);

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The order of a request: faults, tokens, prices or disk bytes, authentication, ARM's own checks, the handler, the log. */
export function createListener(simulator: Simulator, tokens: TokenService): RequestListener {
  const locks = new KeyedLock();

  return async (incoming, response) => {
    try {
      const body = await readBody(incoming);
      // The SDK writes `//subscriptions/…` where a scope begins with a slash.
      const target = (incoming.url ?? '/').replace(/^\/+/, '/');
      const url = new URL(simulator.url() + target);
      const method = incoming.method ?? 'GET';
      if (url.pathname.startsWith('/_lab/')) {
        await sendAnswer(
          response,
          await guarded(() => dispatch(simulator, labRoutes, toRequest(incoming, url, body))),
        );
        return;
      }
      const fault = takeFault(simulator.store, method, url.pathname + url.search);
      if (fault?.delayMs !== undefined) await wait(fault.delayMs);
      const answer = (fault && faultAnswer(fault)) ?? (await answerOf(incoming, url, body, fault));
      const isReset = fault?.resetConnection === true;
      if (!READING.has(method) && url.pathname.toLowerCase().startsWith('/subscriptions/')) {
        const path = decodeURIComponent(url.pathname);
        simulator.requests.add({
          method,
          path,
          body,
          status: answer.status,
          code: errorCode(answer),
          isReset,
        });
      }
      if (isReset) incoming.socket.destroy();
      else await sendAnswer(response, answer);
    } catch (error) {
      if (error instanceof ArmError && !response.headersSent) await sendAnswer(response, error.answer());
      else response.destroy();
    }
  };

  function answerOf(
    incoming: IncomingMessage,
    url: URL,
    body: string,
    fault: Fault | undefined,
  ): Promise<Answer> {
    const method = incoming.method ?? 'GET';
    return guarded(async () => {
      if (isDiskBlobPath(url.pathname)) return answerDiskBlob(simulator, method, url, incoming.headers);
      if (isBootDiagnosticsPath(url.pathname)) return answerBootDiagnostics(simulator, method, url);
      if (isPricesPath(url.pathname)) return answerPrices(simulator, method, url);
      const token = tokens.answer(method, url.pathname, body, simulator.store.settings.tokenSeconds);
      if (token !== null) return token;
      tokens.check(incoming.headers.authorization);
      const request = toRequest(incoming, url, body, fault);
      checkArm(simulator, request);
      if (READING.has(method)) return dispatch(simulator, routes, request);
      return locks.run(lockKey(request.path), () => dispatch(simulator, routes, request));
    });
  }
}

function toRequest(incoming: IncomingMessage, url: URL, body: string, fault?: Fault): ArmRequest {
  return {
    method: incoming.method ?? 'GET',
    path: decodeURIComponent(url.pathname),
    params: {},
    query: url.searchParams,
    headers: incoming.headers,
    body,
    apiVersion: url.searchParams.get('api-version') ?? '',
    fault,
  };
}

function checkArm(simulator: Simulator, request: ArmRequest): void {
  if (request.apiVersion === '') {
    throw new ArmError(
      400,
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    );
  }
  const [, , subscription = ''] = request.path.split('/');
  if (subscription.toLowerCase() !== simulator.identity.subscriptionId) {
    throw new ArmError(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`);
  }
}

async function dispatch(simulator: Simulator, table: readonly Route[], request: ArmRequest): Promise<Answer> {
  const match = findRoute(table, request.method, request.path);
  if ('handler' in match) return match.handler(simulator, { ...request, params: match.params });
  if (match.methods.length > 0) {
    throw new ArmError(405, 'MethodNotAllowed', `${request.method} is not supported on ${request.path}.`);
  }
  throw new ArmError(404, 'InvalidResourceType', `The resource type of ${request.path} could not be found.`);
}

/** Requests about one resource are carried out one after the other; its actions and child resources included. */
function lockKey(path: string): string {
  return path.toLowerCase().split('/').slice(0, 9).join('/');
}

async function guarded(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArmError) return error.answer();
    const message = error instanceof Error ? error.message : String(error);
    return new ArmError(500, 'InternalServerError', message).answer();
  }
}

function errorCode({ status, json }: Answer): string | null {
  if (status < 400) return null;
  const { code } = ((json as JsonObject | undefined)?.error ?? {}) as JsonObject;
  return typeof code === 'string' ? code : null;
}
