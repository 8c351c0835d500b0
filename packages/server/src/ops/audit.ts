/** Who changed what. Rows are written in the transaction of the change; they never hold a secret. */
import type { AuditRow } from '../store/catalog/catalog.ts'
import type { Principal } from './access.ts'
import { newId, type OpsContext } from './context.ts'

export function auditRow(
  ctx: Pick<OpsContext, 'clock' | 'random'>,
  principal: Principal,
  action: string,
  subject: string,
  details: object = {},
  repoId: string | null = null,
): AuditRow {
  return {
    id: newId(ctx),
    at: ctx.clock(),
    actorId: principal.kind === 'user' ? principal.accountId : null,
    action,
    repoId,
    subject,
    details: JSON.stringify(details),
  }
}

/** A work on the whole hub has come to its end: `stats` tells when one did last. */
export async function noteWork(
  ctx: Pick<OpsContext, 'catalog' | 'clock' | 'random'>,
  principal: Principal,
  work: string,
  details: object,
): Promise<void> {
  const row = auditRow(ctx, principal, `hub.${work}`, 'hub', details)
  await ctx.catalog.tx((rows) => rows.audit.insert(row))
}
