/**
 * Azure's public price list, by the Retail Prices API. From its documentation (learn.microsoft.com, "Azure Retail Prices
 * overview"): the address, that nobody signs in, `currencyCode` in quotes, `$filter` with values that tell cases apart,
 * `Items`, `NextPageLink`. From answers that others have published: Windows, Spot and Low Priority show in the names of
 * product and SKU; products of Cloud Services carry the size of a machine and a price that is none of its own; some
 * prices are 0; too many requests are answered with 429. Where several prices are left, the dearest holds.
 */
import { Agent, interceptors, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { MachineKind, PriceList } from '../../domain/ports.ts';
import { startOf } from '../steps/body.ts';
import { oneLine } from '../steps/redact.ts';
import { trust } from '../steps/webhook.ts';
import { withDeadline } from './deadline.ts';

export interface PriceListOptions {
  /** `https://host[:port]`; default: the public one. */
  readonly endpoint?: string;
  /** PEM of a further authority to trust. */
  readonly tlsCa?: string;
  /** Milliseconds since 1970; default: the clock. */
  readonly now?: () => number;
}

const PUBLIC_LIST = 'https://prices.azure.com';
/** All pages of one size, repetitions included. */
const ANSWER_MS = 60_000;
const PAGES_MAX = 10;
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
const EXCERPT_LENGTH_MAX = 200;
const KEPT_MS = 3_600_000;
const KEPT_MAX = 1_000;
/** 429, 5xx and lost connections are asked again; a Retry-After wins, up to `maxTimeout`. */
const RETRIES = { maxRetries: 2, minTimeout: 250, maxTimeout: 15_000 };

const itemSchema = z.object({
  currencyCode: z.string(),
  tierMinimumUnits: z.number(),
  retailPrice: z.number(),
  armRegionName: z.string(),
  armSkuName: z.string(),
  productName: z.string(),
  skuName: z.string(),
  meterName: z.string(),
  unitOfMeasure: z.string(),
  type: z.string(),
});
type Item = z.output<typeof itemSchema>;

const pageSchema = z.object({ Items: z.array(itemSchema), NextPageLink: z.string().nullish() });

type Asked = Parameters<PriceList['perHour']>[0];

interface Kept {
  readonly untilMs: number;
  readonly items: readonly Item[];
}

/** Sends nothing before the first question. Answers are kept for an hour, by this process. */
export function createPriceList(options: PriceListOptions = {}): PriceList {
  const { now = Date.now } = options;
  const kept = new Map<string, Kept>();
  return {
    async perHour(asked, signal) {
      const key = `${asked.currency} ${asked.location} ${asked.vmSize}`;
      const known = kept.get(key);
      if (known !== undefined && known.untilMs > now()) return dearest(known.items, asked);
      kept.delete(key);
      const items = (await itemsOf(asked, options, signal)).filter((item) => isOfSize(item, asked));
      if (items.length > 0) kept.set(key, { untilMs: now() + KEPT_MS, items });
      const [oldest] = kept.keys();
      if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
      return dearest(items, asked);
    },
  };
}

async function itemsOf(asked: Asked, options: PriceListOptions, signal: AbortSignal): Promise<Item[]> {
  const { endpoint = PUBLIC_LIST, tlsCa } = options;
  const agent = new Agent({ pipelining: 0, connect: trust(tlsCa) });
  const dispatcher = agent.compose(interceptors.retry(RETRIES));
  try {
    return await withDeadline(ANSWER_MS, signal, async (signal) => {
      const items: Item[] = [];
      let next: URL | undefined = questionOf(asked, endpoint);
      for (let pages = 0; next !== undefined; pages += 1) {
        if (pages === PAGES_MAX) throw unreadable(`it has more than ${PAGES_MAX} pages for ${asked.vmSize}`);
        const page: z.output<typeof pageSchema> = await pageAt(next, { dispatcher, signal });
        items.push(...page.Items);
        next = followed(page.NextPageLink, endpoint);
      }
      return items;
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DrError) throw error;
    throw unreadable(reasonOf(error), error);
  } finally {
    await agent.destroy();
  }
}

/** Spaces as `%20`: not every server takes a plus for one. */
function questionOf({ location, vmSize, currency }: Asked, endpoint: string): URL {
  const clauses = {
    serviceName: 'Virtual Machines',
    armRegionName: location,
    armSkuName: vmSize,
    priceType: 'Consumption',
  };
  const filter = Object.entries(clauses)
    .map(([field, text]) => `${field} eq '${text.replaceAll("'", "''")}'`)
    .join(' and ');
  const query = `currencyCode='${encodeURIComponent(currency)}'&$filter=${encodeURIComponent(filter)}`;
  return new URL(`${endpoint}/api/retail/prices?${query}`);
}

async function pageAt(
  url: URL,
  { dispatcher, signal }: { readonly dispatcher: Dispatcher; readonly signal: AbortSignal },
): Promise<z.output<typeof pageSchema>> {
  const headers = { accept: 'application/json', 'user-agent': 'switchback' };
  const { statusCode, body } = await request(url, { dispatcher, signal, headers });
  const text = await startOf(body, PAGE_BYTES_MAX);
  const excerpt = oneLine(text, EXCERPT_LENGTH_MAX);
  if (statusCode !== 200) throw unreadable(`${url.host} answers ${statusCode}: ${excerpt}`);
  const page = pageSchema.safeParse(jsonOf(text));
  if (!page.success) throw unreadable(`${url.host} answers with something else than prices: ${excerpt}`);
  return page.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What names the next page must not lead elsewhere. */
function followed(link: string | null | undefined, endpoint: string): URL | undefined {
  if (link === null || link === undefined || link === '') return undefined;
  const url = URL.canParse(link) ? new URL(link) : undefined;
  if (url?.origin === new URL(endpoint).origin) return url;
  throw unreadable(`its next page is elsewhere: ${oneLine(link, EXCERPT_LENGTH_MAX)}`);
}

/** The list is filtered where it is asked; what it answers is looked at again. */
function isOfSize(item: Item, { location, vmSize, currency }: Asked): boolean {
  return (
    item.armRegionName === location &&
    item.armSkuName === vmSize &&
    item.currencyCode === currency &&
    item.type === 'Consumption' &&
    item.unitOfMeasure === '1 Hour' &&
    item.tierMinimumUnits === 0 &&
    item.retailPrice > 0 &&
    !/\b(?:spot|low priority)\b/i.test(`${item.skuName} ${item.meterName}`) &&
    !/cloud ?services/i.test(item.productName)
  );
}

function dearest(items: readonly Item[], { isWindows }: MachineKind): number | null {
  const prices = items
    .filter(({ productName }) => /\bwindows\b/i.test(productName) === isWindows)
    .map(({ retailPrice }) => retailPrice);
  return prices.length === 0 ? null : Math.max(...prices);
}

function reasonOf(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  if ('statusCode' in error) return `it answers ${String(error.statusCode)} again and again`;
  return error.message || ('code' in error ? String(error.code) : error.name);
}

function unreadable(reason: string, cause?: unknown): DrError {
  return new DrError('DR_AZURE_PRICES_UNREADABLE', { reason }, { cause });
}
