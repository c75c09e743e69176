import { z } from 'zod';
import { route } from './route.ts';

export const healthRoutes = {
  health: route({
    method: 'GET',
    path: '/health',
    summary: 'Whether the configuration server answers',
    open: true,
    status: 200,
    response: z.object({ status: z.literal('ok'), version: z.string(), site: z.string() }),
  }),
};
