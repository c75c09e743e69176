/**
 * The public price list, as far as sizes of machines go: beside what a machine costs, what carries its size and is not
 * meant. Prices are made up: cores, and more for Windows.
 */
import { clausesOf } from '../filter.ts';
import { ArmError } from '../http.ts';
import type { Answer } from '../http.ts';
import type { JsonObject } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { skus, type Sku } from './skus.ts';

const PATH = '/api/retail/prices';
const LINUX_CORE_HOUR = 0.048;
const WINDOWS_CORE_HOUR = 0.094;
/** Of one US dollar. */
const RATES: Readonly<Record<string, number>> = { USD: 1, EUR: 0.9, GBP: 0.8 };

export function isPricesPath(path: string): boolean {
  return path === PATH;
}

/** Nobody signs in. Values of the filter tell cases apart. */
export function answerPrices(simulator: Simulator, method: string, url: URL): Answer {
  if (method !== 'GET') throw new ArmError(405, 'MethodNotAllowed', `${method} is not supported on ${PATH}.`);
  const currency = (url.searchParams.get('currencyCode') ?? 'USD').replaceAll("'", '');
  const rate = RATES[currency];
  if (rate === undefined) throw new ArmError(400, 'BadRequest', `Currency ${currency} is not supported.`);
  const wanted = clausesOf(url.searchParams.get('$filter') ?? '');
  const all = skus
    .flatMap((sku) => listed(sku, simulator.identity.location))
    .map((item) => ({ ...item, currencyCode: currency, retailPrice: inCurrency(item.retailPrice, rate) }))
    .filter((item) => [...wanted].every(([field, text]) => valueOf(item, field) === text));
  const { pageSize } = simulator.store.settings;
  const from = Number(url.searchParams.get('$skip') ?? 0);
  const items = all.slice(from, from + pageSize);
  const isLast = from + pageSize >= all.length;
  return {
    status: 200,
    json: {
      BillingCurrency: currency,
      CustomerEntityId: 'Default',
      CustomerEntityType: 'Retail',
      Items: items,
      NextPageLink: isLast ? null : nextLink(simulator, url, from + pageSize),
      Count: items.length,
    },
  };
}

interface Item extends JsonObject {
  readonly retailPrice: number;
}

interface Offer {
  readonly product: string;
  readonly meter?: string;
  readonly perCore: number;
  readonly type?: string;
}

/** What is meant comes last. */
const offers = (series: string): readonly Offer[] => [
  { product: `Virtual Machines ${series}`, meter: ' Spot', perCore: LINUX_CORE_HOUR / 5 },
  { product: `Virtual Machines ${series} Windows`, meter: ' Low Priority', perCore: WINDOWS_CORE_HOUR / 5 },
  { product: `${series} Cloud Services`, perCore: WINDOWS_CORE_HOUR * 2 },
  {
    product: `Virtual Machines ${series} Windows`,
    perCore: LINUX_CORE_HOUR * 3,
    type: 'DevTestConsumption',
  },
  { product: `Virtual Machines ${series}`, perCore: 0 },
  { product: `Virtual Machines ${series} Windows`, perCore: WINDOWS_CORE_HOUR },
  { product: `Virtual Machines ${series}`, perCore: LINUX_CORE_HOUR },
];

function listed({ name, family, cores }: Sku, location: string): Item[] {
  const short = name.replace('Standard_', '').replaceAll('_', ' ');
  const series = `${family.replace(/^standard|Family$/g, '')} Series`;
  return offers(series).map(({ product, meter = '', perCore, type = 'Consumption' }) => ({
    tierMinimumUnits: 0,
    retailPrice: perCore * cores,
    armRegionName: location,
    armSkuName: name,
    productName: product,
    skuName: `${short}${meter}`,
    meterName: `${short}${meter}`,
    serviceName: 'Virtual Machines',
    serviceFamily: 'Compute',
    unitOfMeasure: '1 Hour',
    isPrimaryMeterRegion: true,
    type,
  }));
}

function inCurrency(amount: number, rate: number): number {
  return Math.round(amount * rate * 1e6) / 1e6;
}

function valueOf(item: Item, field: string): unknown {
  if (field === 'pricetype') return item['type'];
  const [, value] = Object.entries(item).find(([key]) => key.toLowerCase() === field) ?? [];
  if (value === undefined)
    throw new ArmError(400, 'BadRequest', `Invalid OData parameters supplied: ${field}`);
  return value;
}

function nextLink(simulator: Simulator, url: URL, skip: number): string {
  const next = new URL(url);
  next.searchParams.set('$skip', String(skip));
  return `${simulator.url()}${PATH}${next.search}`;
}
