// Turns: a database in WASM has one session, and whoever has it keeps it until its transaction ends.

/** The longest that anybody waits. Who waits longer waits for itself: a test with two transactions at once, say. */
const PATIENCE_MS = 120_000;

export class TookTooLong extends Error {
  constructor() {
    super(`another connection has been in a transaction for ${PATIENCE_MS / 1000} s, and there is one session`);
  }
}

export class Turns {
  #owner = null;
  #waiting = [];

  /** Waits for one's turn, first come, first served. At once for who has it. */
  take(who) {
    if (this.#owner === who) return Promise.resolve();
    if (this.#owner === null) {
      this.#owner = who;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter = { who, resolve };
      waiter.timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(new TookTooLong());
      }, PATIENCE_MS);
      this.#waiting.push(waiter);
    });
  }

  /** Ends a turn; nothing happens if it was not one's own. */
  give(who) {
    if (this.#owner !== who) return;
    const next = this.#waiting.shift();
    this.#owner = next?.who ?? null;
    if (next) {
      clearTimeout(next.timer);
      next.resolve();
    }
  }

  isOf(who) {
    return this.#owner === who;
  }
}
