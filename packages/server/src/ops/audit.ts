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
