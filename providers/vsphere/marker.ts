/** One line of ours in a machine's notes, among the lines of others. */
import type { OnProgress } from '../../domain/ports.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import type { MoRef } from './values.ts';

const RECONFIGURE_TASK = /reconfig/i;
const NOTES_PATH = 'config.annotation';
const MARKER = '[Switchback] ';
/** An empty element reads as "unchanged" to some; one blank shows as nothing and is taken by all. */
const NO_NOTES = ' ';

export async function setMarker(
  session: VimSession,
  machine: MoRef,
  text: string | null,
  onProgress: OnProgress,
): Promise<void> {
  await settleTasks(session, machine, RECONFIGURE_TASK, onProgress);
  const notes = (await retrieve(session, machine, [NOTES_PATH]))[NOTES_PATH];
  const before = typeof notes === 'string' ? notes : '';
  const after = withMarker(before, text);
  if (after === before) return;
  const annotation = after === '' ? NO_NOTES : after;
  await runTask(session, requests.reconfigure(machine, { annotation }), onProgress);
}

/** The notes with our line last, or without it. Its text is put on one line. */
export function withMarker(notes: string, text: string | null): string {
  const others = notes.split('\n').filter((line) => !line.startsWith(MARKER));
  if (text === null) return others.length === notes.split('\n').length ? notes : others.join('\n');
  const line = MARKER + text.replaceAll(/\s+/g, ' ').trim();
  return notes.trim() === '' ? line : [...others, line].join('\n');
}
