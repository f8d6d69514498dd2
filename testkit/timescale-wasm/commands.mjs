// Statements that the server runs instead of a database, and those that it has to look after.

/** What precedes the first word of a statement. */
const BEFORE = String.raw`^(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`;
const NAME = String.raw`("(?:[^"]|"")+"|[\w$]+)`;
const COPY_IN = new RegExp(String.raw`${BEFORE}copy\b[\s\S]*\bfrom\s+stdin\b`, 'i');
const COPY_SOMEWHERE = /\bcopy\b[\s\S]*\bfrom\s+stdin\b/i;
const CREATE = new RegExp(String.raw`${BEFORE}create\s+database\s+${NAME}`, 'i');
const DROP = new RegExp(String.raw`${BEFORE}drop\s+database\s+(if\s+exists\s+)?${NAME}([\s\S]*)`, 'i');

const unquoted = (name) => (name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase());

/** Whether the statement takes rows from the client. */
export const isCopyIn = (sql) => COPY_IN.test(sql);

/** Whether it may, behind another statement: which would make the database wait for rows that it cannot get. */
export const mayCopyIn = (sql) => COPY_SOMEWHERE.test(sql);

/** What it does with which database: `{tag, run(databases)}`, or null. */
export function databaseCommand(sql) {
  const created = CREATE.exec(sql);
  if (created) return { tag: 'CREATE DATABASE', run: (databases) => databases.create(unquoted(created[1])).opening };
  const dropped = DROP.exec(sql);
  if (!dropped) return null;
  const how = { ifExists: dropped[1] !== undefined, force: /\bforce\b/i.test(dropped[3]) };
  return { tag: 'DROP DATABASE', run: (databases) => databases.drop(unquoted(dropped[2]), how) };
}
