// Time that passes only when a test says so, and chance that comes from a seed.

export class Clock {
  #now = 0;
  #timers = new Map();
  #number = 0;

  now() { return this.#now; }

  setTimeout(call, ms) {
    this.#timers.set(++this.#number, { at: this.#now + Math.max(0, ms), call });
    return this.#number;
  }

  clearTimeout(timer) { this.#timers.delete(timer); }

  /** Lets time pass, and everything that is due happen in its order. */
  async pass(ms) {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end);
      if (due.length === 0) break;
      const [number, timer] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.#timers.delete(number);
      this.#now = Math.max(this.#now, timer.at);
      timer.call();
      await settled();
    }
    this.#now = end;
  }
}

/** When all promises that can come to something have. */
async function settled() {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(done => setImmediate(done));
}

/** Numbers from 0 to 1 (xorshift). */
export function seeded(seed) {
  let state = seed * 2654435761 >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
