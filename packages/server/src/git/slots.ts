/**
 * A bounded number of things at once, and a bounded queue for the rest, first come first served. One client has at
 * most half of either, so that those who are slow on purpose leave the other half to everybody else.
 */
export interface SlotsLoad {
  taken: number
  waiting: number
  count: number
}

interface Waiter {
  client: string | null
  start: () => void
}

export class Slots {
  readonly #count: number
  readonly #queueMax: number
  readonly #heldMax: number
  readonly #held = new Map<string, number>()
  readonly #queue: Waiter[] = []
  #free: number

  constructor(count: number, queueMax: number) {
    this.#count = count
    this.#free = count
    this.#heldMax = Math.ceil(count / 2)
    this.#queueMax = queueMax
  }

  get load(): SlotsLoad {
    return { taken: this.#count - this.#free, waiting: this.#queue.length, count: this.#count }
  }

  /**
   * Waits for a slot and returns what gives it back; null when the queue is full or the signal aborts first. Without a
   * client it counts for nobody.
   */
  async take(signal?: AbortSignal, client: string | null = null): Promise<(() => void) | null> {
    if (this.#mayStart(client)) this.#hold(client)
    else if (signal?.aborted || !this.#mayWait(client) || !(await this.#turn(signal, client))) return null
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#giveBack(client)
    }
  }

  #mayStart(client: string | null): boolean {
    return this.#free > 0 && (client === null || (this.#held.get(client) ?? 0) < this.#heldMax)
  }

  #mayWait(client: string | null): boolean {
    if (this.#queue.length >= this.#queueMax) return false
    return (
      client === null || this.#queue.filter((other) => other.client === client).length < this.#queueMax / 2
    )
  }

  /** False when the signal aborts before a slot is free. */
  async #turn(signal: AbortSignal | undefined, client: string | null): Promise<boolean> {
    const turn = Promise.withResolvers<boolean>()
    const waiter = { client, start: () => turn.resolve(true) }
    const onAbort = () => {
      const at = this.#queue.indexOf(waiter)
      if (at >= 0) this.#queue.splice(at, 1)
      turn.resolve(false)
    }
    this.#queue.push(waiter)
    signal?.addEventListener('abort', onAbort, { once: true })
    const isOurs = await turn.promise
    signal?.removeEventListener('abort', onAbort)
    return isOurs
  }

  #hold(client: string | null): void {
    this.#free -= 1
    if (client !== null) this.#held.set(client, (this.#held.get(client) ?? 0) + 1)
  }

  #giveBack(client: string | null): void {
    this.#free += 1
    if (client !== null) {
      const held = (this.#held.get(client) ?? 1) - 1
      if (held === 0) this.#held.delete(client)
      else this.#held.set(client, held)
    }
    const at = this.#queue.findIndex((waiter) => this.#mayStart(waiter.client))
    if (at < 0) return
    const [next] = this.#queue.splice(at, 1)
    this.#hold(next!.client)
    next!.start()
  }
}
