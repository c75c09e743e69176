/** Health check of a container: exit code 0 when the address answers 200. The certificate is the server's own. */
import { request } from 'node:https';

const [url = ''] = process.argv.slice(2);
const call = request(url, { rejectUnauthorized: false, timeout: 5_000 }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
call.on('timeout', () => call.destroy(new Error('no answer in 5 s')));
call.on('error', () => (process.exitCode = 1));
call.end();
