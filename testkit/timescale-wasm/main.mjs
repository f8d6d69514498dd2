// PostgreSQL with TimescaleDB for tests, at a port of 127.0.0.1. README.md says what it is and what it is not.
//
//   node main.mjs --packages DIR [--port N] [--databases N] [--folder DIR]
//
// It prints the address once it answers there. It ends at SIGTERM or SIGINT, and when its parent has ended.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Connection } from './connection.mjs';
import { Databases } from './databases.mjs';

const { values } = parseArgs({
  options: {
    /** A folder with node_modules: what `packages` prints. */
    packages: { type: 'string' },
    /** Without one: any that is free. */
    port: { type: 'string', default: '0' },
    /** How many are kept. */
    databases: { type: 'string', default: '6' },
    /** Where their files are, which are removed at the end. */
    folder: { type: 'string', default: tmpdir() },
  },
});
if (!values.packages) {
  console.error('usage: node main.mjs --packages DIR [--port N] [--databases N] [--folder DIR]');
  process.exit(2);
}

const folder = mkdtempSync(join(resolve(values.folder), 'timescale-wasm-'));
// A parent that is killed takes nobody with it, but its children get another parent.
const parent = process.ppid;
setInterval(() => process.ppid === parent || end(), 500).unref();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, end);

/** Ends all at once: an orderly exit takes the threads down one after the other, which takes many seconds. */
function end() {
  rmSync(folder, { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
}

const databases = new Databases(folder, resolve(values.packages), Number(values.databases));
await databases.begin();
let connections = 0;
const server = createServer((socket) => {
  connections += 1;
  return new Connection(connections, socket, databases);
});
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
