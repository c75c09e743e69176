import type { FastifySchema } from 'fastify';
import { errorBodySchema } from '../api/common.ts';
import { textAnswers, type Route } from '../api/route.ts';

/** A route of the contract as Fastify's schema object, for checks and for the OpenAPI document alike. */
export function routeSchema(route: Route): FastifySchema & { readonly summary: string } {
  return {
    summary: route.summary,
    ...(route.params === undefined ? {} : { params: route.params }),
    ...(route.query === undefined ? {} : { querystring: route.query }),
    ...(route.body === undefined ? {} : { body: route.body }),
    response: { [route.status]: answerSchema(route), default: errorBodySchema },
  };
}

function answerSchema({ answers, response }: Route) {
  if (answers === undefined) return response;
  return { description: 'Default Response', content: { [textAnswers[answers]]: { schema: response } } };
}
