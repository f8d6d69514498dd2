// One database: a thread that runs it, and connections that take turns with its only session.
import { Worker } from 'node:worker_threads';
import { errorIn, query, rowsIn } from './messages.mjs';
import { Session, SUPERUSER } from './session.mjs';
import { Turns } from './turns.mjs';

/** What clients are told about the server when they connect. */
const REPORTED = ['server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'IntervalStyle', 'TimeZone',
  'integer_datetimes', 'standard_conforming_strings'];

/** The database is gone: what it ran made the WASM fail, or it was dropped. */
export class Gone extends Error {}

/** Starts a thread on a folder and waits until the database in it is open. */
function start(folder, packages, close) {
  const worker = new Worker(new URL('./backend.mjs', import.meta.url), { workerData: { folder, packages, close } });
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve(worker));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread of a database ended at its start')));
  });
}

/** Makes a folder with a new database to copy others from. */
export async function makeTemplate(folder, packages) {
  const worker = await start(folder, packages, true);
  await worker.terminate();
}

export class Database {
  turns = new Turns();
  /** What clients are told when they connect: names and values. */
  parameters = [];
  /** Resolves when its thread has ended. */
  closed;
  #worker;
  /** Who waits for the response to what runs. */
  #pending = null;
  #gone = null;
  /** Whose session the only one is at the moment. */
  #session = new Session(SUPERUSER, []);

  static async open(folder, packages) {
    const database = new Database();
    database.#worker = await start(folder, packages, false);
    database.#worker.on('message', (told) => database.#told(told));
    database.#worker.on('error', (error) => database.#lost(`its thread failed: ${error.message}`));
    database.closed = new Promise((resolve) => database.#worker.once('exit', resolve));
    database.closed.then(() => database.#lost('its thread ended'));
    await database.#set(database.#session.enter);
    const names = REPORTED.map((name) => `'${name}'`).join(', ');
    const reported = `SELECT name, setting FROM pg_settings WHERE name IN (${names})`;
    database.parameters = rowsIn(await database.run(query(reported)));
    return database;
  }

  /** Runs whole messages, and returns the response. For who has the turn. */
  run(bytes) {
    if (this.#gone) return Promise.reject(new Gone(this.#gone));
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#worker.postMessage(bytes);
    });
  }

  /** Makes the session another one; whether it was not already. For who has the turn and is in no transaction. */
  async enter(session) {
    const before = this.#session;
    if (before === session) return false;
    if (before.touched) before.remember(await this.run(Session.settings));
    // Before it succeeds: what has failed halfway is nobody's session, and the next has to be set as a whole.
    this.#session = session;
    if (!before.isOrdinary || !session.isOrdinary) await this.#set(session.enter);
    return true;
  }

  async close() {
    this.#lost('it was dropped');
    await this.#worker.terminate();
  }

  async #set(sql) {
    const refused = errorIn(await this.run(sql));
    if (refused) throw new Error(refused);
  }

  #told({ bytes, crashed }) {
    if (crashed !== undefined) {
      this.#lost(`what it ran made it fail: ${crashed}`);
      return;
    }
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  #lost(why) {
    if (this.#gone) return;
    this.#gone = `the database is gone: ${why}`;
    this.#pending?.reject(new Gone(this.#gone));
    this.#pending = null;
  }
}
