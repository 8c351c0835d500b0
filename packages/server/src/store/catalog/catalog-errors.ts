/** What a catalog refuses, whatever its engine. */

import { HubError } from '@cairn/protocol/errors'

/** The database was written by a hub of another version. Nothing was changed. */
export class SchemaVersionError extends Error {
  readonly found: string
  readonly expected: string

  constructor(found: string, expected: string) {
    super(`The database has schema ${found}, this hub needs ${expected}`)
    this.name = 'SchemaVersionError'
    this.found = found
    this.expected = expected
  }
}

/**
 * The database cannot be used now: it is gone, full or held by somebody. Callers of the hub are told that much and
 * that they may try again; `place` and `reason` are for its operator.
 */
export class CatalogUnavailableError extends HubError {
  readonly place: string
  readonly reason: string

  constructor(place: string, reason: string, options?: ErrorOptions) {
    super('Unavailable', 'The database is not available', options)
    this.name = 'CatalogUnavailableError'
    this.place = place
    this.reason = reason
  }
}

export type UniqueName = 'account name' | 'repo name' | 'registry' | 'token'

/** Something of that name is there already. The transaction in which it happened can no longer commit. */
export class UniqueViolationError extends Error {
  readonly what: UniqueName

  constructor(what: UniqueName, options?: ErrorOptions) {
    super(`This ${what} is taken`, options)
    this.name = 'UniqueViolationError'
    this.what = what
  }
}

/** A file is to be made of a xorb that its domain does not have (any more). */
export class XorbMissingError extends Error {
  readonly hash: string

  constructor(hash: string) {
    super(`There is no xorb ${hash}`)
    this.name = 'XorbMissingError'
    this.hash = hash
  }
}
