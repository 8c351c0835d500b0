/**
 * Queries that are built and compiled once and then run with values, because building one costs ten times what
 * SQLite needs to answer it. Also the lists: padded to a few lengths, so that they too meet a prepared statement.
 */
import type { CompiledQuery, Kysely, QueryResult } from 'kysely'

import { SQL_PARAMETERS_MAX } from '../../../limits.ts'
import type { Schema } from '../schema.ts'
import { memoryOf } from './row-memory.ts'

/** Stands in a compiled query where a value will be put. */
class Slot {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** `slot.x` is a placeholder of the type that `x` will have; it can be used as a value in a query, nowhere else. */
type Slots<P> = { readonly [K in keyof P]: P[K] }

/** Compiles at first use, so that a connection does not pay for what it never asks. */
export function prepared<P extends object, R>(
  db: Kysely<Schema>,
  build: (slots: Slots<P>) => { compile(): CompiledQuery<R> },
): (values: P) => Promise<QueryResult<R>> {
  let compiled: CompiledQuery<R> | undefined
  const memory = memoryOf(db)
  const answers = memory?.open()
  return async (values) => {
    compiled ??= build(new Proxy({}, { get: (_, name) => new Slot(String(name)) }) as Slots<P>).compile()
    const { query, queryId, sql } = compiled
    const parameters = compiled.parameters.map((value) =>
      value instanceof Slot ? values[value.name as keyof P] : value,
    )
    if (memory === null || answers === undefined) return db.executeQuery({ query, queryId, sql, parameters })
    const known = memory.find<R>(answers, parameters)
    if (known !== undefined) return known
    const { epoch } = memory
    const answer = await db.executeQuery<R>({ query, queryId, sql, parameters })
    memory.keep(answers, parameters, answer, epoch)
    return answer
  }
}

const LIST_LENGTHS = [1, 8, 64, 512]

/**
 * Like `prepared` for `column in (list)`: runs once per slice of a long list and joins the rows. The list holds
 * each value once.
 */
export function preparedList<P extends object, R>(
  db: Kysely<Schema>,
  build: (list: string[], slots: Slots<P>) => { compile(): CompiledQuery<R> },
): (list: Iterable<string>, values: P) => Promise<R[]> {
  const queries = LIST_LENGTHS.map((length) => ({
    length,
    run: prepared<Record<string, unknown>, R>(db, (slots) => {
      const list = Array.from({ length }, (_, index) => slots[`list ${index}`] as string)
      return build(list, slots as Slots<P>)
    }),
  }))
  return async (list, values) => {
    const distinct = [...new Set(list)]
    const rows: R[] = []
    for (let start = 0; start < distinct.length;) {
      const rest = distinct.length - start
      const { length, run } = queries.find((query) => query.length >= rest) ?? queries[queries.length - 1]!
      const parameters: Record<string, unknown> = { ...(values as object) }
      for (let index = 0; index < length; index += 1) {
        parameters[`list ${index}`] = distinct[start + Math.min(index, rest - 1)]
      }
      for (const row of (await run(parameters)).rows) rows.push(row)
      start += length
    }
    return rows
  }
}

/** Slices of rows that fit into one multi-row insert. */
export function* insertSlices<T extends object>(rows: readonly T[]): Generator<T[]> {
  const rowsMax = Math.max(1, Math.floor(SQL_PARAMETERS_MAX / Object.keys(rows[0] ?? { none: 0 }).length))
  for (let start = 0; start < rows.length; start += rowsMax) yield rows.slice(start, start + rowsMax)
}
