// Messages of PostgreSQL's protocol 3.0 (https://www.postgresql.org/docs/17/protocol-message-formats.html): one letter, the
// length of what follows with itself, and what follows. A packet before the session's start has no letter.

/** Longer ones are not ours: something else speaks on this port. */
const LONGEST = 1 << 30;

/** Cuts what a client sends into messages. Pieces are joined only once a message is complete: a long COPY comes in many. */
export class Reader {
  #pieces = [];
  #length = 0;

  push(piece) {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** The next message with its letter and length, or null. Packets before the start are read with `tagged` false. */
  next(tagged = true) {
    const at = tagged ? 1 : 0;
    if (this.#length < at + 4) return null;
    if (this.#pieces[0].length < at + 4) this.#join();
    const size = this.#pieces[0].readInt32BE(at) + at;
    if (size < at + 4 || size > LONGEST) throw new Error(`a message of ${size} bytes`);
    if (this.#length < size) return null;
    this.#join();
    const [all] = this.#pieces;
    this.#pieces = [all.subarray(size)];
    this.#length -= size;
    return all.subarray(0, size);
  }

  #join() {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
  }
}

/** The messages in whole bytes, as the database returns them. */
export function* split(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readInt32BE(at + 1) + 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export const letter = (message) => String.fromCharCode(message[0]);

/** The text at an offset up to its NUL, and the offset behind. */
export function text(message, at) {
  const end = message.indexOf(0, at);
  return [message.toString('utf8', at, end), end + 1];
}

export const cstring = (value) => Buffer.from(`${value}\0`);

export function message(tag, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(tag, 0, 'latin1');
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

// Of a client.
export const SYNC = message('S');
export const FLUSH = message('H');
export const query = (sql) => message('Q', cstring(sql));
export const copyFail = (why) => message('f', cstring(why));
export const closeStatement = (name) => message('C', Buffer.from('S'), cstring(name));

// Of a server.
export const commandComplete = (tag) => message('C', cstring(tag));
export const ready = (state) => message('Z', Buffer.from(state));
export const parameter = (name, value) => message('S', cstring(name), cstring(value));
export const AUTHENTICATED = message('R', Buffer.alloc(4));

/** Of a client that wants to cancel a statement: it gets these numbers and sends them on another connection. */
export function cancelKey(id) {
  const key = Buffer.alloc(8);
  key.writeInt32BE(id, 0);
  return message('K', key);
}

/** An error; `severity` ERROR or FATAL, after which the connection ends. */
export function errorResponse(severity, code, text, hint) {
  const fields = [['S', severity], ['V', severity], ['C', code], ['M', text]];
  if (hint) fields.push(['H', hint]);
  return message('E', ...fields.map(([field, value]) => cstring(field + value)), Buffer.alloc(1));
}

/** What the response says about the transaction at its end: I (none), T (in one), E (in a failed one), null if nothing. */
export function stateAfter(response) {
  let state = null;
  for (const part of split(response)) {
    if (letter(part) === 'Z') state = String.fromCharCode(part[5]);
  }
  return state;
}

/** The text of the first error in a response, or null. */
export function errorIn(response) {
  const error = [...split(response)].find((part) => letter(part) === 'E');
  if (!error) return null;
  for (let at = 5; error[at] !== 0; ) {
    const [value, next] = text(error, at);
    if (value[0] === 'M') return value.slice(1);
    at = next;
  }
  return 'an error without a message';
}

/** The rows in a response, as texts. */
export function rowsIn(response) {
  const rows = [...split(response)].filter((part) => letter(part) === 'D');
  return rows.map((row) => {
    const columns = [];
    for (let i = 0, at = 7; i < row.readInt16BE(5); i += 1) {
      const size = row.readInt32BE(at);
      columns.push(size < 0 ? null : row.toString('utf8', at + 4, at + 4 + size));
      at += 4 + Math.max(size, 0);
    }
    return columns;
  });
}

/** The response without its first message of this letter. */
export function withoutFirst(response, tag) {
  let found = false;
  const kept = [...split(response)].filter((part) => {
    const first = !found && letter(part) === tag;
    found ||= first;
    return !first;
  });
  return Buffer.concat(kept);
}
