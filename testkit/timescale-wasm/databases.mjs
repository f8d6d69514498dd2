// The databases of the server by name: created, dropped, and forgotten when there are too many.
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Database, makeTemplate } from './database.mjs';

/** The database that is always there. */
const FIRST = 'postgres';

/** What was asked for cannot be done; `code` is the SQLSTATE. */
export class Refused extends Error {
  constructor(code, message, hint) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** One of them: opening or open, and who is connected. */
class Named {
  connections = new Set();
  used = Date.now();

  constructor(opening) {
    this.opening = opening;
  }
}

export class Databases {
  #folder;
  #packages;
  #most;
  #named = new Map();
  #opened = 0;
  /** One more, opened before it is wanted: opening takes a second or two. */
  #spare;

  constructor(folder, packages, most) {
    this.#folder = folder;
    this.#packages = packages;
    this.#most = most;
  }

  async begin() {
    await this.#ensureTemplate();
    this.#spare = this.#open();
    await this.create(FIRST).opening;
  }

  get #template() {
    return join(this.#packages, 'template');
  }

  /** Making a new database takes seconds, so it is made once per machine, beside the packages; the others are copies. */
  async #ensureTemplate() {
    if (existsSync(this.#template)) return;
    const part = mkdtempSync(`${this.#template}-`);
    await makeTemplate(join(part, 'data'), this.#packages);
    try {
      renameSync(join(part, 'data'), this.#template);
    } catch (error) {
      // Somebody else has just made it.
      if (!existsSync(this.#template)) throw error;
    }
    rmSync(part, { recursive: true, force: true });
  }

  create(name) {
    if (this.#named.has(name)) throw new Refused('42P04', `database "${name}" already exists`);
    this.#makeRoom();
    const named = new Named(this.#spare);
    this.#spare = this.#open();
    this.#named.set(name, named);
    return named;
  }

  /** Adds a connection to a database. */
  async connect(name, connection) {
    const named = this.#named.get(name);
    if (!named) {
      const hint = `The newest ${this.#most} databases that somebody created are kept.`;
      throw new Refused('3D000', `database "${name}" does not exist`, hint);
    }
    named.connections.add(connection);
    return named.opening;
  }

  disconnect(name, connection) {
    const named = this.#named.get(name);
    named?.connections.delete(connection);
    if (named) named.used = Date.now();
  }

  drop(name, { ifExists, force }) {
    const named = this.#named.get(name);
    if (!named && ifExists) return;
    if (!named) throw new Refused('3D000', `database "${name}" does not exist`);
    if (named.connections.size > 0 && !force) {
      throw new Refused('55006', `database "${name}" is being accessed by other users`);
    }
    this.#forget(name, named);
  }

  /** Room for one more: the one that was not used for longest is dropped. Each takes some 220 MB. */
  #makeRoom() {
    if (this.#named.size < this.#most) return;
    const idle = [...this.#named].filter(([name, { connections }]) => name !== FIRST && connections.size === 0);
    if (idle.length === 0) throw new Refused('53300', `all ${this.#most} databases are in use`);
    const [name, named] = idle.reduce((oldest, other) => (other[1].used < oldest[1].used ? other : oldest));
    this.#forget(name, named);
  }

  #forget(name, named) {
    this.#named.delete(name);
    for (const connection of named.connections) connection.end();
    // One that could not be opened has said so to whoever wanted it.
    named.opening.then((database) => database.close(), () => {});
  }

  #open() {
    this.#opened += 1;
    const folder = join(this.#folder, `database-${this.#opened}`);
    const opening = this.#openIn(folder);
    // Whoever takes it is told; until then nobody is waiting for it.
    opening.catch(() => {});
    return opening;
  }

  async #openIn(folder) {
    cpSync(this.#template, folder, { recursive: true });
    const database = await Database.open(folder, this.#packages);
    database.closed.then(() => rmSync(folder, { recursive: true, force: true }));
    return database;
  }
}
