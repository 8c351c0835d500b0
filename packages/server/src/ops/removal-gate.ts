/**
 * Between whoever removes stored bytes (sweeps, purges, packing) and a backup, which copies what an earlier state of
 * the catalog names. While the gate is closed nothing is removed; what would be waits for its next round.
 */
export class RemovalGate {
  readonly #clock: () => number
  readonly #closedUntil = new Map<string, number>()
  readonly #removing = new Set<Promise<unknown>>()

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Runs `work`, which removes rows and then the bytes that they named, unless the gate is closed: false then. */
  async remove(work: () => Promise<unknown>): Promise<boolean> {
    if (this.isClosed()) return false
    const removing = work()
    this.#removing.add(removing)
    try {
      await removing
      return true
    } finally {
      this.#removing.delete(removing)
    }
  }

  isClosed(): boolean {
    const now = this.#clock()
    for (const [holder, until] of this.#closedUntil) if (until <= now) this.#closedUntil.delete(holder)
    return this.#closedUntil.size > 0
  }

  /** Closes the gate for a holder until a time, and waits for what is being removed at this moment. */
  async close(holder: string, until: number): Promise<void> {
    this.#closedUntil.set(holder, until)
    await Promise.allSettled(this.#removing)
  }

  /** False when the holder's time has ended: what it counts on may be gone. */
  extend(holder: string, until: number): boolean {
    if (!this.isClosed() || !this.#closedUntil.has(holder)) return false
    this.#closedUntil.set(holder, until)
    return true
  }

  open(holder: string): void {
    this.#closedUntil.delete(holder)
  }
}
