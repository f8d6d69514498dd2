// What a connection believes to be its own session: its user, its settings, its role. There is only one session, so they
// are written down when another connection's turn comes, and set again with the next turn.
import { query, rowsIn } from './messages.mjs';

/** The only user that there is at first, a superuser. */
export const SUPERUSER = 'postgres';

/** What the package sets for itself and ordinary sessions have otherwise. */
const ORDINARY = new Map([
  ['client_min_messages', 'notice'],
  ['enable_seqscan', 'on'],
  ['search_path', '"$user", public'],
  ['TimeZone', 'UTC'],
]);

const literal = (value) => `'${value.replaceAll("'", "''")}'`;
const set = (settings) => [...settings].map(([name, value]) => `SELECT set_config(${literal(name)}, ${literal(value)}, false)`);
const identifier = (name) => `"${name.replaceAll('"', '""')}"`;

/** Statements that may change settings, and those that may make them what the package sets. */
export const mayChangeSettings = (sql) => /\b(set|reset|discard)\b|set_config/i.test(sql);
export const mayResetSettings = (sql) => /\b(reset|discard)\b|\bto\s+default\b/i.test(sql);

export class Session {
  /** Whether its settings may have changed since they were written down. */
  touched = false;
  #settings = new Map();

  constructor(user, settings) {
    this.user = user;
    this.#settings = new Map(settings);
  }

  get isOrdinary() {
    return this.user === SUPERUSER && this.#settings.size === 0;
  }

  /** SQL that makes the session this one; its own settings are set as its user. */
  get enter() {
    const reset = `SET SESSION AUTHORIZATION ${SUPERUSER}; RESET ROLE; RESET ALL`;
    const user = `SET SESSION AUTHORIZATION ${identifier(this.user)}`;
    return query([reset, ...set(ORDINARY), user, ...set(this.#settings)].join('; '));
  }

  /** SQL after a reset: what is not the session's own is again what ordinary sessions have. */
  static get ordinary() {
    const values = [...ORDINARY].map(([name, value]) => `(${literal(name)}, ${literal(value)})`).join(', ');
    return query(`SELECT set_config(o.name, o.value, false) FROM (VALUES ${values}) AS o (name, value)
      JOIN pg_catalog.pg_settings s ON s.name = o.name WHERE s.source <> 'session'`);
  }

  /** SQL that tells its settings; those of a transaction end with it. */
  static get settings() {
    return query(`SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session' AND name !~ '^transaction_'
      UNION ALL SELECT 'role', current_setting('role') WHERE current_setting('role') <> 'none'`);
  }

  /** Writes down what that told. */
  remember(response) {
    this.#settings = new Map(rowsIn(response).filter(([name, value]) => ORDINARY.get(name) !== value));
    this.touched = false;
  }
}

/** The settings in the parameters with which a client begins; `options` as libpq takes them: -c name=value --name=value. */
export function settingsOf(parameters) {
  const { user, database, replication, options = '', ...settings } = parameters;
  const words = options.match(/(?:\\.|\S)+/g) ?? [];
  for (const word of words.map((each) => each.replace(/\\(.)/g, '$1'))) {
    const setting = /^(?:-c|--)?([\w.-]+)=(.*)$/s.exec(word);
    if (setting) settings[setting[1].replaceAll('-', '_')] = setting[2];
  }
  return Object.entries(settings);
}
