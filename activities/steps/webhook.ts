/** A signed post to somebody who is told of the run. */
import { createHash } from 'node:crypto';
import { DeadlineError, withDeadline } from '../../providers/azure/deadline.ts';
import { postWebhook, refusedUrl, type WebhookAnswer } from '../../providers/steps/webhook.ts';
import type { StepInput } from '../../workflows/contracts/plan.ts';
import { failed, refused, type Executor } from './step.ts';

export const webhook: Executor<'webhook'> = async (ports, step, action, signal) => {
  const problem = refusedUrl(action.url);
  if (problem !== undefined) throw refused(step, problem, 'Correct the address in the plan.');
  const secret = await ports.secrets.secret(action.secret);
  const post = {
    url: action.url,
    body: bodyOf(step),
    secret,
    idempotencyKey: keyOf(step),
    ...(ports.webhookCa === undefined ? {} : { tlsCa: ports.webhookCa }),
  };
  const { status, ms, text } = await answered(step, signal, (signal) => postWebhook(post, signal));
  if (status < 200 || status > 299) throw failed(step, text === '' ? `${status}` : `${status}: ${text}`);
  return { detail: `${status} in ${ms} ms`, observed: { status, ms, answer: text } };
};

/** The same bytes at every try. */
function bodyOf(step: StepInput): string {
  return JSON.stringify({
    run: step.runId,
    plan: step.planName,
    planVersion: step.planVersion,
    kind: step.kind,
    step: step.stepName,
    machines: Object.fromEntries(
      Object.entries(step.machines).map(([name, { address, vmId = null }]) => [name, { address, vmId }]),
    ),
  });
}

function keyOf(step: StepInput): string {
  return createHash('sha256').update(`${step.runId}\n${step.stepName}`).digest('hex').slice(0, 32);
}

async function answered(
  step: StepInput,
  signal: AbortSignal,
  post: (signal: AbortSignal) => Promise<WebhookAnswer>,
): Promise<WebhookAnswer> {
  try {
    return await withDeadline(step.timeoutSeconds * 1000, signal, post);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DeadlineError) throw failed(step, `no answer within ${step.timeoutSeconds} s`);
    if (!Error.isError(error)) throw error;
    throw failed(step, `no answer: ${reasonOf(error)}`);
  }
}

function reasonOf(error: Error & { readonly code?: unknown }): string {
  return error.message || (typeof error.code === 'string' ? error.code : error.name);
}
