// One client: what it sends is collected up to a Sync, a Flush or a simple query, and run in its turn as one piece.
//
// COPY FROM STDIN is different: a database in WASM cannot wait for rows, and fails for good when it has to. So the rows
// are collected, and the statement runs once they are all there. The client first needs to know what columns the server
// expects: the statement is tried without rows, and taken back.
import { databaseCommand, isCopyIn, mayCopyIn } from './commands.mjs';
import { Gone } from './database.mjs';
import { Refused } from './databases.mjs';
import { AUTHENTICATED, FLUSH, Reader, SYNC, cancelKey, commandComplete, copyFail, errorIn, errorResponse, letter, parameter,
  query, ready, split, stateAfter, text, withoutFirst } from './messages.mjs';
import { Session, mayChangeSettings, mayResetSettings, settingsOf } from './session.mjs';
import { Statements } from './statements.mjs';
import { TookTooLong } from './turns.mjs';

// Packets before the start, by the number that they have in place of a version.
const CANCEL = 80877102;
const TLS = 80877103;
const GSS = 80877104;
/** In no transaction but between messages that no Sync has followed yet: the database is in the middle of something. */
const BETWEEN = 'between';
const TRY = 'slipstream_copy_is_tried';
const NO_ROWS = copyFail('the statement was tried without rows');

export class Connection {
  #id;
  #socket;
  #databases;
  #name = null;
  #database = null;
  #session;
  #statements;
  #reader = new Reader();
  #started = false;
  #ended = false;
  /** One message after the other. */
  #queue = Promise.resolve();
  /** Messages that no Sync or Flush has followed yet. */
  #unit = [];
  /** Of the transaction, as of the last response: I, T, E, or in between. */
  #state = 'I';
  /** Whether messages are skipped up to the next Sync, after an error that is not the database's. */
  #skips = false;
  /** Rows of a COPY that are being collected, with the message that runs it. */
  #copy = null;

  constructor(id, socket, databases) {
    this.#id = id;
    this.#socket = socket;
    this.#databases = databases;
    this.#statements = new Statements(id);
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#take(data));
    // What follows an error is the end, and that is handled.
    socket.on('error', () => {});
    socket.on('close', () => this.#then(() => this.#leave()));
  }

  /** Ends it from our side. */
  end() {
    this.#ended = true;
    this.#socket.destroy();
  }

  #then(step) {
    this.#queue = this.#queue.then(step).catch((error) => this.#fail(error));
  }

  #take(data) {
    try {
      this.#reader.push(data);
      for (let m; !this.#ended && (m = this.#reader.next(this.#started)) !== null; ) {
        const received = m;
        if (this.#started) this.#then(() => this.#ended || this.#handle(received));
        else this.#greet(received);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Responds to a packet before the start. */
  #greet(packet) {
    const code = packet.readInt32BE(4);
    if (code === TLS || code === GSS) {
      this.#send(Buffer.from('N'));
    } else if (code === CANCEL) {
      // A statement in WASM cannot be interrupted. A server does not answer this either.
      this.end();
    } else {
      this.#started = true;
      this.#then(() => this.#begin(packet));
    }
  }

  async #begin(packet) {
    const words = packet.toString('utf8', 8).split('\0');
    const parameters = {};
    for (let i = 0; i + 1 < words.length && words[i] !== ''; i += 2) parameters[words[i]] = words[i + 1];
    const settings = settingsOf(parameters);
    this.#session = new Session(parameters.user, settings);
    this.#name = parameters.database ?? parameters.user;
    this.#database = await this.#databases.connect(this.#name, this);
    const reported = new Map([...this.#database.parameters, ...settings]);
    const told = [...reported].map(([name, value]) => parameter(name, value));
    this.#send(AUTHENTICATED, ...told, cancelKey(this.#id), ready('I'));
  }

  async #handle(m) {
    const tag = letter(m);
    if (tag === 'X') return this.#socket.end();
    if (this.#copy) return this.#collect(m);
    switch (tag) {
      case 'Q':
        return this.#simple(m);
      case 'E':
        return this.#execute(m);
      case 'S':
        this.#skips = false;
        return this.#send(await this.#runUnit(SYNC));
      case 'H':
        return this.#send(await this.#runUnit(FLUSH));
      case 'F':
        return this.#send(await this.#runUnit(m));
      case 'P':
      case 'B':
      case 'D':
      case 'C':
        if (!this.#skips) this.#unit.push(this.#statements.renamed(m));
        return undefined;
      case 'd':
      case 'c':
      case 'f':
      case 'p':
        // Rows of a COPY that has failed, and a password that nobody asked for.
        return undefined;
      default:
        throw new Refused('08P01', `a message of the type ${m[0]}`);
    }
  }

  async #simple(m) {
    const [sql] = text(m, 5);
    const command = this.#state === 'I' && databaseCommand(sql);
    if (command) return this.#send(await this.#done(command), ready('I'));
    if (isCopyIn(sql)) return this.#beginCopy(sql, m);
    if (!mayCopyIn(sql)) return this.#send(await this.#runUnit(m));
    // If it does, it fails: whoever sent it was not going to send rows.
    return this.#send(withoutFirst(await this.#runUnit(m, NO_ROWS), 'G'));
  }

  async #execute(m) {
    if (this.#skips) return undefined;
    const sql = this.#statements.executed(m);
    const command = this.#state === 'I' && databaseCommand(sql);
    if (isCopyIn(sql)) return this.#beginCopy(sql, m);
    if (!command) return this.#unit.push(m);
    if (!(await this.#runBefore())) return undefined;
    const response = await this.#done(command);
    this.#skips = letter(response) === 'E';
    return this.#send(response);
  }

  /** Runs what precedes an Execute that is not for the database; whether that has succeeded. */
  async #runBefore() {
    const response = await this.#runUnit(FLUSH);
    this.#skips = errorIn(response) !== null;
    this.#send(response);
    return !this.#skips;
  }

  /** The response to a command of the server's own. */
  async #done({ tag, run }) {
    try {
      await run(this.#databases);
      return commandComplete(tag);
    } catch (error) {
      if (error instanceof Refused) return errorResponse('ERROR', error.code, error.message, error.hint);
      throw error;
    }
  }

  /** Asks for the rows of a COPY; `m` runs it, a simple query or an Execute. */
  async #beginCopy(sql, m) {
    if (this.#state === BETWEEN) throw new Refused('0A000', 'COPY behind a Flush');
    const simple = letter(m) === 'Q';
    const expected = await this.#tried(sql);
    if (!expected) {
      // The database says itself what is wrong with it.
      if (simple) return this.#send(await this.#runUnit(m, NO_ROWS));
      return this.#unit.push(m, NO_ROWS);
    }
    if (!simple && !(await this.#runBefore())) return undefined;
    this.#copy = { rows: [m], end: simple ? [] : [FLUSH] };
    return this.#send(expected);
  }

  /** The message that asks for rows, as the database has it; null if it refuses the statement. The turn is kept. */
  async #tried(sql) {
    if (this.#state === 'E') return null;
    const [before, after] = this.#state === 'T'
      ? [[query(`SAVEPOINT ${TRY}`)], [query(`ROLLBACK TO SAVEPOINT ${TRY}`), query(`RELEASE SAVEPOINT ${TRY}`)]]
      : [[], []];
    const response = await this.#run([...before, query(sql), NO_ROWS, ...after], true);
    return [...split(response)].find((part) => letter(part) === 'G') ?? null;
  }

  /** One more message while rows are collected. */
  async #collect(m) {
    switch (letter(m)) {
      case 'd':
        return this.#copy.rows.push(m);
      case 'c':
      case 'f': {
        const { rows, end } = this.#copy;
        this.#copy = null;
        const response = await this.#run([...rows, m, ...end]);
        // It was told before.
        return this.#send(withoutFirst(response, 'G'));
      }
      case 'S':
      case 'H':
        // A server ignores them as well.
        return undefined;
      default:
        throw new Refused('08P01', `a message of the type ${letter(m)} among the rows of a COPY`);
    }
  }

  #runUnit(...last) {
    const unit = [...this.#unit, ...last];
    this.#unit = [];
    return this.#run(unit);
  }

  /** Runs messages in this connection's turn, which lasts until its transaction has ended, or longer with `keep`. */
  async #run(unit, keep = false) {
    const database = this.#database;
    await database.turns.take(this);
    const others = await database.enter(this.#session);
    const again = others ? this.#statements.forgotten(unit) : null;
    const texts = this.#statements.run(unit);
    this.#session.touched ||= texts.some(mayChangeSettings);
    const response = await database.run(Buffer.concat(again ? [again, ...unit] : unit));
    this.#state = stateAfter(response) ?? BETWEEN;
    if ('IT'.includes(this.#state) && texts.some(mayResetSettings)) await database.run(Session.ordinary);
    if (this.#state === 'I' && !keep) database.turns.give(this);
    return again ? withoutFirst(response, '1') : response;
  }

  #send(...messages) {
    if (!this.#ended) this.#socket.write(Buffer.concat(messages));
  }

  /** Tells the client why this is the end. */
  #fail(error) {
    if (this.#ended) return;
    const code = error instanceof Refused ? error.code : error instanceof TookTooLong ? '55P03' : error instanceof Gone ? '57P01' : 'XX000';
    if (code === 'XX000') console.error(error);
    else console.error(`connection ${this.#id} to ${this.#name}: ${error.message}`);
    this.#send(errorResponse('FATAL', code, error.message, error.hint));
    this.#ended = true;
    this.#socket.destroySoon();
  }

  /** Whatever the client has left behind is cleaned up in its last turn: a transaction, half a COPY, statements. */
  async #leave() {
    this.#ended = true;
    if (!this.#database) return;
    const { turns } = this.#database;
    const statements = this.#statements.closing;
    try {
      if (!turns.isOf(this) && statements.length === 0) return;
      await turns.take(this);
      await this.#database.run(Buffer.concat([SYNC, query('ROLLBACK'), ...statements, SYNC]));
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    } finally {
      turns.give(this);
      this.#databases.disconnect(this.#name, this);
    }
  }
}
