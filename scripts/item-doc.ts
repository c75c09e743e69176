/** The generated part of docs/protected-item.md: states, operations, guards, inputs and a diagram, from domain/protected-item.ts. */
import { readFile, writeFile } from 'node:fs/promises';
import { guards } from '../domain/item-guards.ts';
import { operationInputs } from '../domain/item-inputs.ts';
import { operationSummaries } from '../domain/item-operations.ts';
import { stateReasons } from '../domain/item-states.ts';
import {
  activeLocations,
  decide,
  drillStates,
  givesWay,
  isProtectionOver,
  itemOperations,
  itemStates,
  moves,
  type ItemOperation,
  type ItemSituation,
  type ItemState,
  type Verdict,
} from '../domain/protected-item.ts';

export const ITEM_DOC = 'docs/protected-item.md';
const BEGIN = '<!-- Made by `npm run generate` from domain/protected-item.ts; change it there. -->';
const END = '<!-- End of what is made. -->';

/** The page with its generated part made anew; prose around the markers stays. */
export function renderItemDoc(page: string): string {
  const [before, rest] = page.split(`${BEGIN}\n`);
  const after = rest?.split(`${END}\n`)[1];
  if (before === undefined || after === undefined) throw new Error(`${ITEM_DOC} has lost its markers`);
  return `${before}${BEGIN}${sections()}${END}\n${after}`;
}

function sections(): string {
  return [
    '',
    '## The states',
    table(
      ['state', 'the machine runs', 'why anything else is refused'],
      itemStates.map((state) => [code(state), location(state), stateReasons[state]]),
    ),
    '## What may be done when',
    `A cell names the state after success. ${legend()}`,
    table(
      ['', ...itemOperations.map(code)],
      itemStates.map((state) => [code(state), ...itemOperations.map((operation) => cell(state, operation))]),
    ),
    '## How each operation goes',
    'Undone: it was rolled back, or ended before it had changed anything.',
    table(['operation', 'from', 'while it runs', 'done', 'undone'], itemOperations.flatMap(goings)),
    'While one operation runs, others are refused with `DR_OPERATION_BUSY`, but for those that displace it:',
    table(['operation', 'displaces'], itemOperations.flatMap(displacements)),
    '## What each operation needs beside its state',
    table(
      ['operation', 'needs', 'else refused with'],
      itemOperations.flatMap((operation) =>
        (guards[operation] ?? []).map((guard) => [code(operation), guard.needs, code(guard.code)]),
      ),
    ),
    '## What each operation does and takes',
    table(
      ['operation', 'does'],
      itemOperations.map((operation) => [code(operation), operationSummaries[operation]]),
    ),
    table(
      ['operation', 'field', 'kind', 'required', 'means', 'example'],
      itemOperations.flatMap((operation) =>
        operationInputs[operation].map(({ name, kind, required, means, example }) => [
          code(operation),
          code(name),
          kind,
          required ? 'yes' : 'no',
          means,
          code(JSON.stringify(example)),
        ]),
      ),
    ),
    'The others take nothing.',
    '## The diagram',
    'What is undone goes back as the table above says; operations that leave the state as it is are not drawn.',
    `\`\`\`mermaid\n${diagram()}\n\`\`\``,
    '',
  ].join('\n\n');
}

// ------------------------------------------------------------ the table

const situations: readonly Omit<ItemSituation, 'state'>[] = drillStates.flatMap((drill) =>
  [true, false].flatMap((hasRecoveryPoint) =>
    [false, true].flatMap((paused) =>
      [false, true].map((diverged) => ({ drill, hasRecoveryPoint, paused, diverged })),
    ),
  ),
);

/** What the state alone says: guards are given whatever they need. */
function verdict(state: ItemState, operation: ItemOperation): Verdict {
  const verdicts = situations.map((situation) => decide({ state, ...situation }, operation));
  const [first] = verdicts;
  if (first === undefined) throw new Error('no situation');
  return verdicts.find(({ allowed }) => allowed) ?? first;
}

/** Codes that the state table refuses with, by how a cell shows them. */
const refusalSigns = new Map<string, string>([
  ['DR_OPERATION_REFUSED', '·'],
  ['DR_COMMIT_BEFORE_FAILOVER', '✗'],
]);

function cell(state: ItemState, operation: ItemOperation): string {
  const decided = verdict(state, operation);
  if (decided.allowed) return code(decided.done);
  return refusalSigns.get(decided.code) ?? code(decided.code);
}

function legend(): string {
  const signs = [...refusalSigns].map(([refusal, sign]) => `${sign} is \`${refusal}\``);
  return `${signs.join(', ')}: the reason is that of the state.`;
}

/** One row for every way the operation can go, with the states it can be started in. */
function goings(operation: ItemOperation): string[][] {
  const rows = new Map<string, { from: ItemState[]; rest: string[] }>();
  for (const state of itemStates) {
    const decided = verdict(state, operation);
    if (!decided.allowed) continue;
    const { next, done, undone } = decided;
    const stays = next === state && done === state;
    const back = undone === state ? 'where it began' : code(undone);
    const rest = stays ? ['stays', 'stays', 'stays'] : [code(next), code(done), back];
    const row = rows.get(rest.join()) ?? { from: [], rest };
    row.from.push(state);
    rows.set(rest.join(), row);
  }
  return [...rows.values()].map(({ from, rest }, index) => [
    index === 0 ? code(operation) : '',
    from.map(code).join(', '),
    ...rest,
  ]);
}

function displacements(operation: ItemOperation): string[][] {
  const displaced = (['protect', ...itemOperations] as const).filter((running) =>
    givesWay(running, operation),
  );
  return displaced.length === 0 ? [] : [[code(operation), displaced.map(code).join(', ')]];
}

function location(state: ItemState): string {
  return activeLocations[state] === 'azure' ? 'in Azure' : 'on premises';
}

// ------------------------------------------------------------ the diagram

/** Moves that no operation of the table makes: enabling protection, and a failover that left something behind. */
const otherMoves: readonly (readonly [ItemState, ItemState, string])[] = [
  ['enablingProtection', 'initialReplicating', 'machine prepared'],
  ['enablingProtection', 'enablingFailed', 'machine refused'],
  ['initialReplicating', 'protected', 'first recovery point'],
  ['failingOver', 'failoverFailed', 'not undone'],
];

function diagram(): string {
  const edges = new Set<string>(['  [*] --> enablingProtection: protect']);
  for (const [from, to, label] of otherMoves) edges.add(`  ${from} --> ${to}: ${label}`);
  for (const operation of itemOperations) {
    for (const state of itemStates) {
      const move = moves[operation][state];
      if (move === undefined || (move.during === state && move.done === state)) continue;
      if (state !== move.during) edges.add(`  ${state} --> ${move.during}: ${operation}`);
      edges.add(`  ${move.during} --> ${move.done}: done`);
    }
  }
  for (const state of itemStates) if (isProtectionOver(state)) edges.add(`  ${state} --> [*]`);
  return ['stateDiagram-v2', ...edges].join('\n');
}

// ------------------------------------------------------------ text

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) await writeFile(ITEM_DOC, renderItemDoc(await readFile(ITEM_DOC, 'utf8')));
