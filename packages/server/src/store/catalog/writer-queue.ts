/** The queue in front of the one writer of a process: first come, first served, and nobody waits for himself. */
import { AsyncLocalStorage } from 'node:async_hooks'

export class WriterQueue {
  /** The turn that the calling code runs in. It may outlive it in timers, hence `running`. */
  readonly #caller = new AsyncLocalStorage<{ running: boolean }>()
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  /** Runs `work` after everything that was asked for before. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Waiting for itself would hang for ever.
    if (this.#caller.getStore()?.running) throw new Error('A transaction cannot be started inside another')
    if (this.#closed) throw new Error('The catalog is closed')
    const turn = this.#last.then(() => this.#take(work))
    this.#last = turn.catch(() => {}) // The caller of that turn gets its error; the next turn starts regardless.
    return turn
  }

  /** Waits for what was asked for and refuses what comes after. False when it was closed already. */
  async close(): Promise<boolean> {
    if (this.#closed) return false
    this.#closed = true
    await this.#last
    return true
  }

  async #take<T>(work: () => Promise<T>): Promise<T> {
    const context = { running: true }
    try {
      return await this.#caller.run(context, work)
    } finally {
      context.running = false
    }
  }
}
