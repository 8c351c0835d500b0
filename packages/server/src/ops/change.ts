/** One administrative change: a transaction with its audit rows, made by somebody who may. */
import type { Catalog, CatalogRows } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import { newId } from './context.ts'
import { newTokenString } from './token-string.ts'

export interface AccountDeps {
  catalog: Catalog
  /** Milliseconds since the epoch. */
  clock: () => number
  random: (sizeBytes: number) => Uint8Array
}

export interface Change {
  rows: CatalogRows
  at: number
  newId(): string
  newTokenString(): string
  /** `details` never holds a secret. */
  audit(action: string, subject: string, details?: Record<string, unknown>): Promise<void>
}

/** Runs `work` in a transaction for an administrator; Unauthenticated or Forbidden for anybody else. */
export async function change<T>(
  deps: AccountDeps,
  principal: Principal,
  work: (change: Change) => Promise<T>,
): Promise<T> {
  assertInstanceAdmin(principal)
  return changeAs(deps, principal, work)
}

/** The same for whom the caller has found entitled. */
export async function changeAs<T>(
  deps: AccountDeps,
  principal: Principal,
  work: (change: Change) => Promise<T>,
): Promise<T> {
  const at = deps.clock()
  return deps.catalog.tx((rows) =>
    work({
      rows,
      at,
      newId: () => newId(deps),
      newTokenString: () => newTokenString(deps.random),
      audit: (action, subject, details = {}) =>
        rows.audit.insert({
          id: newId(deps),
          at,
          actorId: principal.kind === 'user' ? principal.accountId : null,
          action,
          repoId: null,
          subject,
          details: JSON.stringify(details),
        }),
    }),
  )
}
