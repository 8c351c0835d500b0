/** What PostgreSQL's and the connection's errors mean to the catalog. No text here ever holds a password. */
import { DatabaseError } from 'pg'

import { CatalogUnavailableError, SchemaVersionError, UniqueViolationError } from './catalog.ts'
import { uniqueMeaning } from './constraints.ts'

/** SQLSTATE → what to tell an operator. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['28P01', 'it refuses this user or password'],
  ['28000', 'it refuses this user'],
  ['3D000', 'there is no such database'],
  ['42501', 'this user may not make or use the tables there'],
  ['53300', 'it has no connection left'],
  ['55P03', 'another hub or program holds its lock for too long'],
  ['57P01', 'it is being stopped'],
  ['57P02', 'it crashed'],
  ['57P03', 'it is starting up or being stopped'],
  ['25006', 'it is read-only'],
  ['53100', 'its disk is full'],
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOENT', 'there is no such socket'],
  ['ENOTFOUND', 'there is no such host'],
  ['EAI_AGAIN', 'there is no such host'],
  ['EHOSTUNREACH', 'the host cannot be reached'],
  ['ECONNRESET', 'the connection was lost'],
  ['EPIPE', 'the connection was lost'],
])

const UNIQUE_VIOLATION = '23505'

/** An error of the client or the pool as the catalog's own, where it has a meaning; the error itself otherwise. */
export function meaningOf(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof SchemaVersionError) return error
  // A bad value is the caller's mistake.
  if (error instanceof TypeError || error instanceof RangeError) return error
  const { code = '' } = error as NodeJS.ErrnoException
  if (error instanceof DatabaseError) {
    if (code === UNIQUE_VIOLATION) return uniqueViolation(error)
    const reason = REASONS.get(code)
    return reason === undefined ? error : new CatalogUnavailableError(place, reason, { cause: error })
  }
  // What did not come from the server is about the way to it.
  const reason = REASONS.get(code) ?? (error.message.split('\n')[0] || code)
  return new CatalogUnavailableError(place, reason, { cause: error })
}

/** A repeated primary key stays an error of the caller, as with SQLite. */
function uniqueViolation(error: DatabaseError): unknown {
  const what = error.constraint === `${error.table}_pkey` ? null : uniqueMeaning(error.table)
  return what === null ? error : new UniqueViolationError(what, { cause: error })
}
