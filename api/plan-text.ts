/** Reads the text of a recovery plan; every problem is told at once, with its line and column. */
import { LineCounter, isMap, isNode, isPair, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { orderProblems } from '../domain/plan/order.ts';
import type { RecoveryPlan } from '../domain/plan/plan.ts';
import { planDocumentSchema, planOf, type WrittenPlan } from './plan-document.ts';

export interface PlanProblem {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `groups[1].members[0].machine`; empty: the document as a whole. */
  readonly path: string;
  readonly message: string;
}

export type ReadPlan = { readonly plan: RecoveryPlan } | { readonly problems: readonly PlanProblem[] };

type Path = readonly PropertyKey[];

const TOO_MUCH = Symbol('too much');
/** A plan travels with every run that pins it: what a workflow may be given is 2 MiB. */
export const PLAN_CHARACTERS_MAX = 1_000_000;

export function readPlan(text: string): ReadPlan {
  if (text.length > PLAN_CHARACTERS_MAX) {
    return { problems: [{ line: 1, column: 1, path: '', message: 'is longer than 1,000,000 characters' }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos: [at], message }) => ({
      ...place(lines, at),
      path: '',
      message,
    }));
    return { problems };
  }
  const at = (path: Path, message: string): PlanProblem => ({
    ...place(lines, offsetOf(document, path)),
    path: pathText(path),
    message,
  });
  const content = contentOf(document);
  if (content === TOO_MUCH) return { problems: [at([], 'multiplies itself by its aliases')] };
  const unkept = unkeptIn(content);
  if (unkept.length > 0) {
    return { problems: unkept.map((path) => at(path, 'holds a character that no database keeps')) };
  }
  const parsed = planDocumentSchema.safeParse(content, { reportInput: true });
  if (!parsed.success) return { problems: inOrder(parsed.error.issues.flatMap((issue) => told(issue, at))) };
  const plan = planOf(parsed.data);
  const problems = [...orderTold(plan, at), ...stepsTold(parsed.data, at)];
  return problems.length > 0 ? { problems: inOrder(problems) } : { plan };
}

/** A problem on one line, as compilers write it, so that editors can jump there. */
export function problemLine(file: string, { line, column, path, message }: PlanProblem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path} `}${message}`;
}

/** Where text holds a zero character or half of a surrogate pair, written as an escape. */
function unkeptIn(content: unknown, path: Path = []): Path[] {
  if (typeof content === 'string') return content.includes('\0') || !content.isWellFormed() ? [path] : [];
  if (typeof content !== 'object' || content === null) return [];
  const entries = Array.isArray(content) ? [...content.entries()] : Object.entries(content);
  return entries.flatMap(([key, inner]: [PropertyKey, unknown]) => unkeptIn(inner, [...path, key]));
}

/** The parser stops where aliases of aliases would fill the memory. */
function contentOf(document: Document): unknown {
  try {
    return document.toJS();
  } catch {
    return TOO_MUCH;
  }
}

type At = (path: Path, message: string) => PlanProblem;

function told(issue: z.core.$ZodIssue, at: At): PlanProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => at([...issue.path, key], 'is no field of a recovery plan here'));
  }
  return [at(issue.path, wordsOf(issue))];
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'is missing';
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  return issue.message.replace(/^Invalid input: /, 'is not right: ');
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' entries long';
  return origin === 'string' ? ' characters long' : '';
}

function orderTold(plan: RecoveryPlan, at: At): PlanProblem[] {
  return orderProblems(plan.groups).map(({ group, reason }) => {
    const index = plan.groups.findLastIndex(({ name }) => name === group);
    return at(['groups', index], `group "${group}" ${reason}`);
  });
}

/** Runs, approvals and evidence name a step: its name must lead to one, and the machine it asks must be in the plan. */
function stepsTold(written: WrittenPlan, at: At): PlanProblem[] {
  const seen = new Set<string>();
  const isListed = machinesListed(written);
  return stepPaths(written).flatMap(({ path, step }) => {
    const { name, probe, runCommand } = step;
    const twice = seen.has(name) ? [at([...path, 'name'], `step "${name}" is named twice`)] : [];
    seen.add(name);
    const asked = [
      { key: 'probe', machine: probe?.machine },
      { key: 'runCommand', machine: runCommand?.machine },
    ];
    const strangers = asked.flatMap(({ key, machine }) =>
      machine === undefined || isListed(machine)
        ? []
        : [at([...path, key, 'machine'], `machine "${machine}" is no member of the plan`)],
    );
    return [...twice, ...strangers];
  });
}

/** Which machines a tag or a folder brings is known only when a run begins. */
function machinesListed({ groups }: WrittenPlan): (machine: string) => boolean {
  const members = groups.flatMap((group) => group.members);
  const named = new Set(members.map((member) => ('machine' in member ? member.machine : undefined)));
  const isOpen = named.has(undefined);
  return (machine) => isOpen || named.has(machine);
}

function stepPaths({ steps, groups }: WrittenPlan) {
  const around = (path: Path, both: typeof steps) =>
    (['before', 'after'] as const).flatMap((side) =>
      both[side].map((step, index) => ({ path: [...path, 'steps', side, index], step })),
    );
  return [
    ...around([], steps),
    ...groups.flatMap((group, index) => [
      ...around(['groups', index], group.steps),
      ...group.members.flatMap((member, of) =>
        'machine' in member ? around(['groups', index, 'members', of], member.steps) : [],
      ),
    ]),
  ];
}

/** Of the node itself, or of the nearest one that holds it: what is missing has no place of its own. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && String(item.key) === String(key));
      if (isNode(pair?.key)) return pair.key.range?.[0] ?? 0;
    }
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
}

function place(lines: LineCounter, offset: number) {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function inOrder(problems: readonly PlanProblem[]): PlanProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
