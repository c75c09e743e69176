/** CPU profiles of Node processes, summed by what the time was spent on. */
import { z } from 'zod';

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  /** Microseconds since the sample before. */
  timeDeltas: z.array(z.number()),
});

export type CpuProfile = z.infer<typeof profileSchema>;

interface Rule {
  readonly stage: string;
  readonly function?: RegExp;
  readonly url?: RegExp;
}

export const STARTUP = 'start of the process';
const OTHER = 'other JavaScript';
const IDLE = '(idle)';

/** The first rule that fits the innermost frame decides; where none does, the frame that called it is asked. */
const rules: readonly Rule[] = [
  { stage: 'garbage collection', function: /^\(garbage collector\)$/ },
  { stage: 'sockets, TLS and files outside JavaScript', function: /^\(program\)$/ },
  { stage: 'CRC-32C', function: /^crc32c?$/ },
  { stage: 'zstd', url: /^node:(internal\/)?zlib/ },
  { stage: 'AES-256-GCM', url: /^node:internal\/crypto\/cipher/ },
  { stage: 'hashes: SHA-256, HMAC, MD5', url: /^node:internal\/crypto\/(hash|hkdf)/ },
  {
    stage: 'copies of buffers',
    function: /^(copy|_copyActual|set|fill|_fill|concat|allocUnsafe(Slow)?|subarray)$/,
  },
  { stage: 'zero test', url: /zero-runs/ },
  { stage: 'zero test', function: /^(equals|compare)$/ },
  {
    stage: 'HTTP, TLS and storage client',
    url: /^node:(_http|_tls|https?|internal\/tls)|undici|@azure|@typespec/,
  },
  { stage: 'files', url: /^node:(fs|internal\/fs)/ },
  { stage: 'NBD', url: /\/dataplane\/source\// },
  { stage: 'segments: records and frames', url: /\/dataplane\/segment\// },
  {
    stage: 'threads: messages',
    url: /\/dataplane\/threads\/|^node:internal\/(worker|per_context\/messageport)/,
  },
  { stage: 'plan and write pages', url: /\/dataplane\/apply\// },
  { stage: 'plan reads, spool, upload', url: /\/dataplane\/(ship|egress|cache)/ },
  { stage: STARTUP, url: /^node:internal\/(modules|bootstrap|main|process|deps\/cjs)|^node:vm/ },
];

/** @throws Error when it is no profile */
export function parseProfile(text: string): CpuProfile {
  return profileSchema.parse(JSON.parse(text));
}

/** Seconds by stage, of all profiles together; idle time is left out. */
export function secondsByStage(profiles: readonly CpuProfile[]): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const profile of profiles) {
    const stageOf = stages(profile);
    for (const [index, id] of profile.samples.entries()) {
      const stage = stageOf(id);
      // The time behind the last sample is not known.
      const micros = profile.timeDeltas[index + 1] ?? 0;
      if (stage !== null && micros > 0) seconds.set(stage, (seconds.get(stage) ?? 0) + micros / 1e6);
    }
  }
  return seconds;
}

/** Makes them add up to what the operating system has counted: a sampled thread may have waited for a core. */
export function scaledTo(seconds: ReadonlyMap<string, number>, cpuSeconds: number): Map<string, number> {
  const total = [...seconds.values()].reduce((sum, value) => sum + value, 0);
  return new Map(
    [...seconds].map(([stage, value]) => [stage, total === 0 ? 0 : (value / total) * cpuSeconds]),
  );
}

/** Null: idle. */
function stages({ nodes }: CpuProfile): (id: number) => string | null {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const known = new Map<number, string | null>();
  const find = (id: number): string | null => {
    const frame = byId.get(id)?.callFrame;
    if (frame === undefined) return OTHER;
    if (frame.functionName === IDLE) return null;
    const rule = rules.find(
      (each) => (each.function?.test(frame.functionName) ?? true) && (each.url?.test(frame.url) ?? true),
    );
    const parent = parentOf.get(id);
    if (rule !== undefined) return rule.stage;
    return parent === undefined ? OTHER : stageOf(parent);
  };
  const stageOf = (id: number): string | null => {
    const found = known.has(id) ? (known.get(id) ?? null) : find(id);
    known.set(id, found);
    return found;
  };
  return stageOf;
}
