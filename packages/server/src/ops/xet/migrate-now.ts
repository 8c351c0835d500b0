/** Migration at once, because an operator asks: one object a step, without waiting for delay or (if wanted) grace. */
import { HubError } from '@cairn/protocol/errors'

import type { LfsMigrationRow } from '../../store/catalog/catalog.ts'
import { repoFor, type Principal } from '../access.ts'
import type { AdminRepo } from '../admin.ts'
import type { OpsContext } from '../context.ts'
import { registryFor } from '../locate.ts'
import { stepThrough, type Finding, type WalkStep, type WorkStep } from '../work-step.ts'
import { removeOriginal, replaceObject } from './migrate.ts'

export interface MigrateOptions {
  /** Null: those of all repositories. */
  repo: AdminRepo | null
  /** Removes what was replaced without waiting for the end of its grace. */
  remove: boolean
}

export async function migrateNow(
  ctx: OpsContext,
  principal: Principal,
  { repo: named, remove }: MigrateOptions,
  cursor: string | null,
): Promise<WorkStep> {
  const repoId = named === null ? null : await idOf(ctx, principal, named)
  return stepThrough({ objects: (after) => nextObject(ctx, repoId, remove, after) }, cursor)
}

async function idOf(
  ctx: OpsContext,
  principal: Principal,
  { registry, ...name }: AdminRepo,
): Promise<string> {
  const locator = { ...name, registry: await registryFor(ctx, registry) }
  return (await repoFor(ctx, principal, locator, 'admin')).id
}

async function nextObject(
  ctx: OpsContext,
  repoId: string | null,
  remove: boolean,
  after: string | null,
): Promise<WalkStep> {
  const { lfsMigrations } = ctx.catalog.rows
  const total = after === null ? await lfsMigrations.count(repoId) : null
  const [domainId = '', oid = ''] = after?.split('/') ?? []
  const [object] = await lfsMigrations.list(repoId, after === null ? null : { domainId, oid }, 1)
  if (object === undefined) return { after: null, at: '', done: 0, total, findings: [], counts: {} }
  const name = `${object.domainId}/${object.oid}`
  return { after: name, at: object.oid, done: 1, total, ...(await migrate(ctx, object, remove)) }
}

async function migrate(
  ctx: OpsContext,
  object: LfsMigrationRow,
  remove: boolean,
): Promise<Pick<WalkStep, 'findings' | 'counts'>> {
  const subject = `LFS object ${object.oid}`
  const counts: Record<string, number> = {}
  const findings: Finding[] = []
  try {
    if (object.replacedAt === null) {
      if ((await replaceObject(ctx, object, () => Promise.resolve())) === 'replaced')
        Object.assign(counts, { replaced: 1, replacedBytes: object.sizeBytes })
      else findings.push({ subject, message: 'no living repository has it', state: 'note' })
    }
    const now = remove ? await ctx.catalog.rows.lfsMigrations.get(object) : null
    if (now !== null && now.replacedAt !== null && (await removeOriginal(ctx, now)) === 'removed')
      Object.assign(counts, { removed: 1, removedBytes: object.sizeBytes })
  } catch (error) {
    ctx.log.error({ err: error, oid: object.oid }, 'an LFS object could not be migrated')
    const message = error instanceof HubError ? error.message : String(error)
    findings.push({ subject, message, state: 'problem' })
  }
  return { findings, counts }
}
