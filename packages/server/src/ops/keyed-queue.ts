/** First come, first served, one at a time for each key. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>()
  #length = 0

  /** Works that run or wait. */
  get length(): number {
    return this.#length
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    // A failed predecessor has told its own caller; whoever follows starts all the same.
    const mine = before.then(work, work)
    this.#tails.set(key, mine)
    this.#length += 1
    try {
      return await mine
    } finally {
      this.#length -= 1
      if (this.#tails.get(key) === mine) this.#tails.delete(key)
    }
  }

  /** Holds all the keys at once. Taken in one order, so that of two who want the same ones neither waits for the other. */
  runAll<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const locked = [...new Set(keys)].toSorted().reduceRight((inner, key) => () => this.run(key, inner), work)
    return locked()
  }
}
