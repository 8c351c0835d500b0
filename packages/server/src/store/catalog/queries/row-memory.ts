/**
 * What small look-ups answered, until somebody writes. Asking SQLite costs 3 to 6 µs, most of it for the read lock, and
 * a download asks a dozen times for rows that seldom change. Only for a handle whose writers all call `forget` right
 * after their commit: then an answer from here is the one that the database would give.
 */
import type { Kysely, QueryResult } from 'kysely'

import { ROW_MEMORY_ANSWER_MAX_CHARS, ROW_MEMORY_ANSWERS_MAX } from '../../../limits.ts'
import type { Schema } from '../schema.ts'

/** One map for each parameter, so that no key has to be put together. Of the last one the values are answers. */
type Level = Map<unknown, Level | QueryResult<unknown>>

export class RowMemory {
  readonly #queries: Level[] = []
  #count = 0
  #epoch = 0

  /** Changes with every `forget`. */
  get epoch(): number {
    return this.#epoch
  }

  /** The answers of one query, which has the same number of parameters each time. */
  open(): Level {
    const answers: Level = new Map()
    this.#queries.push(answers)
    return answers
  }

  find<R>(answers: Level, parameters: readonly unknown[]): QueryResult<R> | undefined {
    let found: Level | QueryResult<unknown> | undefined = answers
    for (const parameter of parameters) found = (found as Level | undefined)?.get(parameter)
    return found as QueryResult<R> | undefined
  }

  /**
   * Keeps an answer, unless it is large or was asked for in an earlier epoch. Its rows are shared from then on, and
   * frozen.
   */
  keep(answers: Level, parameters: readonly unknown[], answer: QueryResult<unknown>, epoch: number): void {
    if (epoch !== this.#epoch || parameters.length === 0) return
    if (sizeOf([parameters, ...(answer.rows as object[])]) > ROW_MEMORY_ANSWER_MAX_CHARS) return
    if (this.#count >= ROW_MEMORY_ANSWERS_MAX) this.forget()
    let level = answers
    for (const parameter of parameters.slice(0, -1)) {
      let next = level.get(parameter) as Level | undefined
      if (next === undefined) level.set(parameter, (next = new Map()))
      level = next
    }
    for (const row of answer.rows) Object.freeze(row)
    level.set(parameters.at(-1), { rows: Object.freeze(answer.rows) as unknown[] })
    this.#count += 1
  }

  forget(): void {
    this.#epoch += 1
    if (this.#count === 0) return
    for (const answers of this.#queries) answers.clear()
    this.#count = 0
  }
}

/** The handles that have one. Queries are built in many places, and only this one needs to know. */
const memories = new WeakMap<Kysely<Schema>, RowMemory>()

export function remember(db: Kysely<Schema>, memory: RowMemory): void {
  memories.set(db, memory)
}

export function memoryOf(db: Kysely<Schema>): RowMemory | null {
  return memories.get(db) ?? null
}

/** Characters of the texts. Binary values are too large to be kept. */
function sizeOf(rows: readonly object[]): number {
  let size = 0
  for (const row of rows)
    for (const value of Object.values(row) as unknown[])
      size += typeof value === 'string' ? value.length : value instanceof Uint8Array ? Infinity : 8
  return size
}
