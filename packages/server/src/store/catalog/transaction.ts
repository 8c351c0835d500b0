/**
 * One transaction on a connection that nobody else uses meanwhile: rows that die with it, events that are written
 * right before the commit, and a rollback for everything else. The same for every database.
 */
import type { CatalogRows, HubEvent } from './catalog.ts'

/** A connection that can hold one transaction at a time. */
export interface Session {
  rows: CatalogRows
  begin(): Promise<void>
  insertEvents(events: readonly HubEvent[]): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
}

export type Work<T> = (rows: CatalogRows, emit: (event: HubEvent) => void) => Promise<T>

export async function runTransaction<T>(session: Session, work: Work<T>): Promise<T> {
  await session.begin()
  const scope = new Scope()
  const events: HubEvent[] = []
  try {
    const result = await work(scope.guard(session.rows), (event) => {
      scope.assertOpen()
      events.push(event)
    })
    scope.close()
    await session.insertEvents(events)
    await session.commit()
    return result
  } catch (error) {
    await scope.settle()
    await session.rollback()
    throw error
  }
}

/** Watches the calls of one transaction: none may outlive it, and one that failed dooms it. */
class Scope {
  #open = true
  #failure: { error: unknown } | null = null
  readonly #running = new Set<Promise<unknown>>()

  guard(rows: CatalogRows): CatalogRows {
    const guarded: Record<string, Record<string, unknown>> = {}
    for (const [aggregate, methods] of Object.entries(rows)) {
      const calls: Record<string, unknown> = (guarded[aggregate] = {})
      for (const [name, method] of Object.entries(methods as Record<string, Method>)) {
        calls[name] = (...args: unknown[]) => this.#watch(method, args)
      }
    }
    return guarded as unknown as CatalogRows
  }

  assertOpen(): void {
    if (!this.#open) throw new Error('The transaction has ended')
    // PostgreSQL refuses everything after a failed statement; SQLite would go on with half of it.
    if (this.#failure !== null) throw new Error('The transaction has failed', { cause: this.#failure.error })
  }

  /** The end of the work: throws unless every call was awaited and went well. */
  close(): void {
    this.#open = false
    if (this.#failure !== null) throw this.#failure.error
    if (this.#running.size > 0) throw new Error('The transaction ended before its rows did')
  }

  async settle(): Promise<void> {
    this.#open = false
    await Promise.allSettled(this.#running)
  }

  async #watch(method: Method, args: unknown[]): Promise<unknown> {
    this.assertOpen()
    const call = method(...args)
    this.#running.add(call)
    try {
      return await call
    } catch (error) {
      this.#failure ??= { error }
      throw error
    } finally {
      this.#running.delete(call)
    }
  }
}

type Method = (...args: unknown[]) => Promise<unknown>
