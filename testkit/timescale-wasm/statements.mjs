// Names of prepared statements. Connections share a session, so each gets names of its own; and the one without a name is
// prepared again when another connection may have taken its place.
import { closeStatement, cstring, letter, message, text } from './messages.mjs';

export class Statements {
  #prefix;
  /** Text by the client's name. */
  #texts = new Map();
  /** The message that prepared the one without a name. */
  #unnamed = null;
  /** Text by portal: what Execute runs. */
  #portals = new Map();

  constructor(id) {
    this.#prefix = `c${id}_`;
  }

  /** The message with names of this connection's own. */
  renamed(m) {
    switch (letter(m)) {
      case 'P': {
        const [name, sql] = text(m, 5);
        this.#texts.set(name, text(m, sql)[0]);
        if (name === '') this.#unnamed = m;
        return message('P', cstring(this.#own(name)), m.subarray(sql));
      }
      case 'B': {
        const [portal, at] = text(m, 5);
        const [name, rest] = text(m, at);
        this.#portals.set(portal, this.#texts.get(name) ?? '');
        return message('B', cstring(portal), cstring(this.#own(name)), m.subarray(rest));
      }
      case 'D':
      case 'C': {
        if (String.fromCharCode(m[5]) !== 'S') return m;
        const [name] = text(m, 6);
        if (letter(m) === 'C') this.#texts.delete(name);
        return message(letter(m), Buffer.from('S'), cstring(this.#own(name)));
      }
      default:
        return m;
    }
  }

  /** The text that an Execute runs. */
  executed(m) {
    return this.#portals.get(text(m, 5)[0]) ?? '';
  }

  /** The texts that messages run. */
  run(unit) {
    const running = unit.filter((m) => letter(m) === 'Q' || letter(m) === 'E');
    return running.map((m) => (letter(m) === 'Q' ? text(m, 5)[0] : this.executed(m)));
  }

  /** The message that prepares the statement without a name, if these use it without preparing it. */
  forgotten(unit) {
    const uses = (m) => (letter(m) === 'B' && text(m, text(m, 5)[1])[0] === '') || (letter(m) === 'D' && m[5] === 0x53 && m[6] === 0);
    const first = unit.find((m) => uses(m) || (letter(m) === 'P' && m[5] === 0));
    return first && letter(first) !== 'P' ? this.#unnamed : null;
  }

  /** Messages that close all that are open. */
  get closing() {
    return [...this.#texts.keys()].filter((name) => name !== '').map((name) => closeStatement(this.#own(name)));
  }

  #own(name) {
    return name === '' ? name : this.#prefix + name;
  }
}
