/** What vCenter asks while it works on a machine, and which of it may be answered without a person. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import { isFault } from './faults.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import type { Companion } from './task.ts';
import type { MoRef } from './values.ts';

const PATHS = ['name', 'runtime.question'];

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const questionSchema = z.object({
  id: z.string(),
  text,
  choice: z.object({
    choiceInfo: z.array(z.object({ key: z.string(), label: text, summary: text })).default([]),
  }),
});

export type Question = z.output<typeof questionSchema>;

/**
 * Key of the choice to answer with; undefined when a person has to decide. vCenter asks whether a machine was moved
 * or copied when its files changed around it. "Moved" keeps its identifiers and addresses, which is right for a
 * machine that comes home; "copied" gives it new ones and is chosen where nothing else is offered.
 */
export function chooseAnswer({ choice }: Question): string | undefined {
  const meaning = (word: RegExp) =>
    choice.choiceInfo.find(({ label, summary }) => word.test(`${label} ${summary}`))?.key;
  return meaning(/\b_?moved/i) ?? meaning(/\b_?copied/i);
}

/** Answers the machine's questions while somebody waits for a task. @throws DR_MACHINE_QUESTION */
export function answeringQuestions(session: VimSession, machine: MoRef): Companion {
  return {
    watched: { object: machine, paths: ['runtime.question'] },
    look: async () => {
      const properties = await retrieve(session, machine, PATHS);
      const asked = properties['runtime.question'] ?? null;
      if (asked === null) return;
      const question = questionSchema.parse(asked);
      const answer = chooseAnswer(question);
      if (answer === undefined) {
        throw new DrError('DR_MACHINE_QUESTION', {
          machine: String(properties['name']),
          question: question.text,
        });
      }
      await session.call(requests.answer(machine, question.id, answer)).catch((error: unknown) => {
        if (!isFault(error, 'InvalidArgument', 'ConcurrentAccess')) throw error;
      });
    },
  };
}
