import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { freePorts } from '../../lab/processes/ports.ts';

test('ports are different, free, and outside the range that systems hand out by themselves', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  for (const port of ports) {
    expect(port).toBeLessThan(32_768);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    await new Promise((done) => server.close(done));
  }
});
