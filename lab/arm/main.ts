import { parseArgs } from 'node:util';
import { z } from 'zod';
import { startArm } from './start.ts';
import { writeDurably } from './store.ts';

const USAGE = `Usage: node lab/arm/main.ts --listen 127.0.0.1:PORT --state DIR --ready-file FILE
         --storage-endpoint URL --storage-account NAME --storage-key-file FILE [--loopback-networks]
PORT 0 takes any free port; restart on the same port, because operation URLs hold it.`;

const text = { type: 'string' } as const;
const optionsSchema = z.object({
  listen: z.string().regex(/^127\.0\.0\.1:\d{1,5}$/, 'must be 127.0.0.1:PORT'),
  state: z.string(),
  'ready-file': z.string(),
  'storage-endpoint': z.url(),
  'storage-account': z.string(),
  'storage-key-file': z.string(),
  'loopback-networks': z.boolean().default(false),
});

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        listen: text,
        state: text,
        'ready-file': text,
        'storage-endpoint': text,
        'storage-account': text,
        'storage-key-file': text,
        'loopback-networks': { type: 'boolean' },
      },
    });
    return optionsSchema.parse(values);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    process.stderr.write(`${reason}\n${USAGE}\n`);
    return process.exit(2);
  }
}

const options = readOptions();
const [host = '', port = ''] = options.listen.split(':');
const running = await startArm({
  host,
  port: Number(port),
  stateDir: options.state,
  storageEndpoint: options['storage-endpoint'],
  storageAccount: options['storage-account'],
  storageKeyFile: options['storage-key-file'],
  loopbackNetworks: options['loopback-networks'],
});
writeDurably(options['ready-file'], JSON.stringify(running.ready));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void running.close());
}
