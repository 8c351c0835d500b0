/** The audit as administrators read it: newest first, narrowed by who, what and where. */
import { formatDate } from '@cairn/protocol/api/dates'
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'

import type { AuditFilter, AuditRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import type { AccountDeps } from './change.ts'

export interface AuditQuery {
  /** `ns/name`, as the rows name it. */
  repo?: string | undefined
  actor?: string | undefined
  /** `repo.create`, or with a dot at the end a whole family: `repo.` */
  action?: string | undefined
  /** Milliseconds since the epoch. */
  since?: number | undefined
  /** The id of the last row of the page before. */
  before?: string | undefined
  limit: number
}

export interface AuditView {
  id: string
  at: string
  /** null: the operator or the hub itself. Its id when the account is gone. */
  actor: string | null
  action: string
  subject: string
  details: string
}

export async function listAudit(
  { catalog }: Pick<AccountDeps, 'catalog'>,
  principal: Principal,
  query: AuditQuery,
): Promise<AuditView[]> {
  assertInstanceAdmin(principal)
  const { accounts, audit } = catalog.rows
  const filter: AuditFilter = { limit: query.limit }
  if (query.repo !== undefined) filter.subject = query.repo
  if (query.action !== undefined) filter.action = query.action
  if (query.since !== undefined) filter.since = query.since
  // The id of an account that is gone still finds its rows.
  if (query.actor !== undefined) filter.actorId = (await accounts.getByName(query.actor))?.id ?? query.actor
  if (query.before !== undefined) {
    const last = await audit.get(query.before)
    if (last === null) throw new HubError('BadRequest', `No audit row '${printable(query.before)}'`)
    filter.before = last
  }
  const rows = await audit.list(filter)
  const names = new Map<string, string>()
  for (const id of new Set(rows.flatMap((row) => row.actorId ?? [])))
    names.set(id, (await accounts.get(id))?.name ?? id)
  return rows.map((row) => viewOf(row, names))
}

function viewOf(row: AuditRow, names: ReadonlyMap<string, string>): AuditView {
  return {
    id: row.id,
    at: formatDate(row.at),
    actor: row.actorId === null ? null : (names.get(row.actorId) ?? row.actorId),
    action: row.action,
    subject: row.subject,
    details: row.details,
  }
}
