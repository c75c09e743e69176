/**
 * What the machines of a drill cost for `drill.cleanupAfter`, which begins when the run has ended, by Azure's price list. Not counted: disks, snapshots, network,
 * storage, tax, discounts, and licences that the price of a machine does not hold.
 */
import type { MachineKind, MachinePrice } from '../ports/prices.ts';
import type { RegionLook } from './clashes.ts';
import type { CostLimit } from './plan.ts';

/** Currencies the list is given in (learn.microsoft.com, "Azure Retail Prices overview", supported currencies). */
export const priceCurrencies = [
  'USD',
  'AUD',
  'BRL',
  'CAD',
  'CHF',
  'CNY',
  'DKK',
  'EUR',
  'GBP',
  'INR',
  'JPY',
  'KRW',
  'NOK',
  'NZD',
  'RUB',
  'SEK',
  'TWD',
] as const;

/** What Microsoft charges by; the list's other currencies are conversions. */
export const LIST_CURRENCY: (typeof priceCurrencies)[number] = 'USD';
export const COUNTED =
  "machines by Azure's price list, pay as you go, Windows with its licence; not disks, snapshots, storage, network, tax, discounts, nor the time of the run itself";

/** Prices have up to six decimals; whole millionths add up exactly. */
const MILLIONTHS = 1_000_000;
const HOUR_SECONDS = 3_600;
const NAMED_MAX = 10;

export interface CostedMachine {
  readonly machineName: string;
  readonly location: string;
  /** Absent: its size is not known. */
  readonly kind?: MachineKind;
}

/** Prices of one region. */
export interface RegionPrices {
  readonly location: string;
  readonly prices: readonly MachinePrice[];
}

export interface DrillCost {
  /** Begun hours count as whole ones. */
  readonly hours: number;
  readonly amount: number;
  /** The dearest first. */
  readonly machines: readonly { readonly machineName: string; readonly amount: number }[];
  /** Names of machines that have no price; they are not in the amount. */
  readonly unpriced: readonly string[];
}

/** A size is spelled as the region does: an operator may have written another case. */
export function costedMachine(
  {
    machineName,
    location,
    vmSize,
    guestFamily,
  }: {
    readonly machineName: string;
    readonly location: string;
    readonly vmSize?: string;
    readonly guestFamily?: string;
  },
  sizes: RegionLook['sizes'],
): CostedMachine {
  if (vmSize === undefined) return { machineName, location };
  const spelled = sizes.find(({ name }) => name.toLowerCase() === vmSize.toLowerCase())?.name ?? vmSize;
  return { machineName, location, kind: { vmSize: spelled, isWindows: guestFamily === 'windows' } };
}

/** Each once. */
export function kindsOf(machines: readonly CostedMachine[]): MachineKind[] {
  const kinds = machines.flatMap(({ kind }) => (kind === undefined ? [] : [kind]));
  return [...new Map(kinds.map((kind) => [`${kind.vmSize} ${kind.isWindows}`, kind])).values()];
}

export function drillCost(
  machines: readonly CostedMachine[],
  regions: readonly RegionPrices[],
  seconds: number,
): DrillCost {
  const hours = Math.ceil(seconds / HOUR_SECONDS);
  const all = machines.map((machine) => {
    const perHour = priceOf(machine, regions);
    const { machineName } = machine;
    return { machineName, millionths: perHour && Math.round(perHour * MILLIONTHS) * hours };
  });
  const priced = all.flatMap(({ machineName, millionths }) =>
    millionths === undefined ? [] : [{ machineName, millionths }],
  );
  return {
    hours,
    amount: priced.reduce((sum, { millionths }) => sum + millionths, 0) / MILLIONTHS,
    machines: priced
      .toSorted((a, b) => b.millionths - a.millionths)
      .map(({ machineName, millionths }) => ({ machineName, amount: millionths / MILLIONTHS })),
    unpriced: all.flatMap(({ machineName, millionths }) => (millionths === undefined ? [machineName] : [])),
  };
}

/** `3.21 EUR`: hundredths that have begun count. */
export function costWords(amount: number, currency: string): string {
  const hundredths = Math.ceil(Math.round(amount * MILLIONTHS) / (MILLIONTHS / 100));
  return `${(hundredths / 100).toFixed(2)} ${currency}`;
}

/** As it is written in a plan: `25 EUR`. */
export function limitWords({ amount, currency }: CostLimit): string {
  return `${amount} ${currency}`;
}

/** `app-01 3.20 EUR, db-01 1.60 EUR and 4 more`. */
export function dearestWords({ machines }: Pick<DrillCost, 'machines'>, currency: string): string {
  return named(machines.map(({ machineName, amount }) => `${machineName} ${costWords(amount, currency)}`));
}

/** `app-01 (Standard_D2s_v5), db-01 (of no known size) and 4 more`. */
export function unpricedWords(
  { unpriced }: Pick<DrillCost, 'unpriced'>,
  machines: readonly CostedMachine[],
): string {
  const sizes = new Map(machines.map(({ machineName, kind }) => [machineName, kind?.vmSize]));
  return named(unpriced.map((name) => `${name} (${sizes.get(name) ?? 'of no known size'})`));
}

/** What DR_DRILL_TOO_DEAR tells. */
export function tooDear(plan: string, cost: DrillCost, limit: CostLimit) {
  const { currency } = limit;
  return {
    plan,
    cost: costWords(cost.amount, currency),
    hours: cost.hours,
    limit: limitWords(limit),
    machines: dearestWords(cost, currency),
  };
}

/** At most ten, and how many more. */
function named(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function priceOf({ location, kind }: CostedMachine, regions: readonly RegionPrices[]): number | undefined {
  if (kind === undefined) return undefined;
  const region = regions.find((each) => each.location === location);
  return region?.prices.find(
    ({ vmSize, isWindows }) => vmSize === kind.vmSize && isWindows === kind.isWindows,
  )?.perHour;
}
