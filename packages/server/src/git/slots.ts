/** A bounded number of things at once, and a bounded queue for the rest, first come first served. */
export class Slots {
  readonly #queueMax: number
  readonly #queue: (() => void)[] = []
  #free: number

  constructor(count: number, queueMax: number) {
    this.#free = count
    this.#queueMax = queueMax
  }

  /** Waits for a slot and returns what gives it back; null when the queue is full or the signal aborts first. */
  async take(signal?: AbortSignal): Promise<(() => void) | null> {
    if (this.#free === 0) {
      if (this.#queue.length >= this.#queueMax || signal?.aborted) return null
      const turn = Promise.withResolvers<boolean>()
      const onTurn = () => turn.resolve(true)
      const onAbort = () => {
        const at = this.#queue.indexOf(onTurn)
        if (at >= 0) this.#queue.splice(at, 1)
        turn.resolve(false)
      }
      this.#queue.push(onTurn)
      signal?.addEventListener('abort', onAbort, { once: true })
      const isOurs = await turn.promise
      signal?.removeEventListener('abort', onAbort)
      if (!isOurs) return null
    } else {
      this.#free -= 1
    }
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const next = this.#queue.shift()
      // A slot that goes to the next in the queue never counts as free in between.
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
