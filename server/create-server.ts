/** The configuration server's HTTPS API, made from the contract. Listens nowhere yet: call `listen`. */
import { randomUUID } from 'node:crypto';
import fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { contract, type Contract } from '../api/contract.ts';
import type { textAnswers } from '../api/route.ts';
import { DrError } from '../domain/errors.ts';
import type { ServerDeps } from './deps.ts';
import { errorAnswer, toDrError } from './error-answer.ts';
import type { Handlers } from './handlers.ts';
import { routeSchema } from './route-schema.ts';
import { evidenceHandlers } from './routes/evidence.ts';
import { healthHandlers } from './routes/health.ts';
import { jobHandlers } from './routes/jobs.ts';
import { machineHandlers } from './routes/machines.ts';
import { notificationHandlers } from './routes/notifications.ts';
import { planScheduleHandlers } from './routes/plan-schedules.ts';
import { planRunHandlers } from './routes/plan-runs.ts';
import { planSimulationHandlers } from './routes/plan-simulations.ts';
import { policyHandlers } from './routes/policies.ts';
import { protectedItemHandlers } from './routes/protected-items.ts';
import { readinessHandlers } from './routes/readiness.ts';
import { recoveryPlanHandlers } from './routes/recovery-plans.ts';
import { vcenterHandlers } from './routes/vcenters.ts';

const BODY_BYTES_MAX = 256 * 1024;
/** Encoded machine names are longer than they look. */
const PARAM_LENGTH_MAX = 1_000;
/** A page is read as a file of its own: it may load nothing, run nothing and be taken for nothing else. */
const TEXT_HEADERS = {
  html: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    'x-content-type-options': 'nosniff',
  },
  metrics: {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'x-content-type-options': 'nosniff',
  },
} as const satisfies Readonly<Record<keyof typeof textAnswers, Readonly<Record<string, string>>>>;

declare module 'fastify' {
  interface FastifyRequest {
    principal: string;
  }
}

export async function createServer(deps: ServerDeps): Promise<FastifyInstance> {
  const server = fastify({
    https: { cert: deps.tls.cert, key: deps.tls.key, minVersion: 'TLSv1.2' },
    loggerInstance: deps.log.child({}, { redact: ['req.headers.authorization', 'body.password'] }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
  }) as unknown as FastifyInstance;
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.decorateRequest('principal', '');
  server.addHook('onRequest', (request, reply) => authenticate(deps, request, reply));
  server.addHook('onResponse', async (request, reply) => logAnswer(request, reply));
  server.setNotFoundHandler((request, reply) => {
    const context = { method: request.method, path: request.url.split('?')[0] ?? '' };
    return answer(request, reply, new DrError('DR_ROUTE_UNKNOWN', context));
  });
  server.setErrorHandler((thrown: Error, request, reply) => answer(request, reply, toDrError(thrown)));
  addRoutes(server, {
    ...healthHandlers(deps),
    ...vcenterHandlers(deps),
    ...machineHandlers(deps),
    ...policyHandlers(deps),
    ...planRunHandlers(deps),
    ...planScheduleHandlers(deps),
    ...planSimulationHandlers(deps),
    ...protectedItemHandlers(deps),
    ...jobHandlers(deps),
    ...evidenceHandlers(deps),
    ...recoveryPlanHandlers(deps),
    ...readinessHandlers(deps),
    ...notificationHandlers(deps),
  });
  await server.ready();
  return server;
}

function addRoutes(server: FastifyInstance, handlers: Handlers): void {
  for (const name of Object.keys(contract) as (keyof Contract)[]) {
    const route = contract[name];
    // The validator has given params, query and body the types that the handler of this very route expects.
    const handle = handlers[name] as (request: object) => Promise<unknown>;
    server.route({
      method: route.method,
      url: route.path,
      schema: routeSchema(route),
      ...('bodyBytesMax' in route ? { bodyLimit: route.bodyBytesMax } : {}),
      handler: async (request, reply) => {
        const { params, query, body, principal, id } = request;
        const result = await handle({ params, query, body, requester: { principal, requestId: id } });
        if ('answers' in route) reply.headers(TEXT_HEADERS[route.answers]);
        return reply.code(route.status).send(result);
      },
    });
  }
}

const openPaths = new Set(
  Object.values(contract).flatMap((route) => ('open' in route && route.open ? [route.path as string] : [])),
);

async function authenticate(deps: ServerDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header('x-request-id', request.id);
  if (openPaths.has(request.routeOptions.url ?? '')) return;
  const [, token] = /^Bearer ([^\s]{1,200})$/.exec(request.headers.authorization ?? '') ?? [];
  const principal = token === undefined ? null : await deps.tokens.principalOf(token);
  if (principal === null) throw new DrError('DR_REQUEST_UNAUTHENTICATED', {});
  request.principal = principal;
}

function answer(request: FastifyRequest, reply: FastifyReply, error: DrError): FastifyReply {
  const { status, body } = errorAnswer(error, request.id);
  if (status >= 500) request.log.error({ err: error, code: error.code }, 'a request failed');
  return reply.code(status).type('application/json').serializer(JSON.stringify).send(body);
}

function logAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const level = request.routeOptions.url === '/health' ? 'debug' : 'info';
  request.log[level](
    {
      method: request.method,
      route: request.routeOptions.url,
      status: reply.statusCode,
      principal: request.principal,
      ms: Math.round(reply.elapsedTime),
    },
    'request answered',
  );
}
