/** Starts writer processes and listens to them. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { WriterNews, WriterOrder } from './writer-process.ts';

type NewsOf<K extends WriterNews['news']> = Extract<WriterNews, { news: K }>;

export interface Writer {
  /** The first news of the kind, also when it came before it was asked for. */
  when<K extends WriterNews['news']>(news: K): Promise<NewsOf<K>>;
  go(): void;
  stop(): Promise<void>;
}

export function startWriter(order: WriterOrder): Writer {
  const child = fork(path.join(import.meta.dirname, 'writer-process.ts'), [], {
    execPath: process.execPath,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const first = new Map<WriterNews['news'], PromiseWithResolvers<WriterNews>>();
  const slot = (news: WriterNews['news']) => {
    const known = first.get(news) ?? Promise.withResolvers<WriterNews>();
    first.set(news, known);
    known.promise.catch(() => undefined);
    return known;
  };
  child.on('message', (news: WriterNews) => slot(news.news).resolve(news));
  child.on('exit', (code) => {
    for (const news of ['writing', 'holding', 'ended'] as const) {
      slot(news).reject(new Error(`the writer ended with ${code} and had nothing to say of "${news}"`));
    }
  });
  child.send(order);
  return {
    when: async (news) => (await slot(news).promise) as NewsOf<typeof news>,
    go: () => void child.send('go'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
