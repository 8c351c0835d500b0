/** The audit as rows: only ever added, read newest first. */
import type { AuditRow } from './catalog.ts'

export interface AuditFilter {
  repoId?: string
  actorId?: string
  /** Exact, or with a dot at the end everything that begins so: `token.`. */
  action?: string
  subject?: string
  /** Milliseconds since the epoch, inclusive. */
  since?: number
  before?: Pick<AuditRow, 'at' | 'id'>
  limit: number
}

export interface AuditRows {
  insert(row: AuditRow): Promise<void>
  get(id: string): Promise<AuditRow | null>
  /** Newest first; `before` is the last row of the page before, so that rows of one millisecond are not lost. */
  list(filter: AuditFilter): Promise<AuditRow[]>
}
