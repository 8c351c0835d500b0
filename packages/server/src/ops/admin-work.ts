/** The hub as a whole for administrators: works that go on in steps (work-step.ts), and their arguments. */
import { z } from 'zod'

import { GC_HOURS_MAX, VERIFY_RATE_DEFAULT_BYTES, VERIFY_RATE_MAX_BYTES } from '../limits.ts'
import type { Principal } from './access.ts'
import { checked, repoFields } from './admin-args.ts'
import { noteWork } from './audit.ts'
import { collectStep } from './collection/collect.ts'
import type { OpsContext } from './context.ts'
import { fsckHub, fsckRepo } from './fsck.ts'
import { rebuildIndex } from './rebuild-index.ts'
import { verifyHub, type Readings } from './verify.ts'
import type { WorkStep } from './work-step.ts'
import { migrateNow } from './xet/migrate-now.ts'

/** By verb; `cursor` is one of the arguments, absent at first. */
export type HubWork = Readonly<Record<string, (principal: Principal, args: unknown) => Promise<WorkStep>>>

const CURSOR_MAX_CHARS = 2000

export function hubWork(ctx: OpsContext): HubWork {
  const readings: Readings = new Map()
  const check = {
    repo: named,
    full: flag,
    samplePercent: z.number().min(0).max(100).default(0),
    repair: flag,
    dropDamaged: flag,
  }
  const works: HubWork = {
    fsck: work(check, (principal, { repo, full, samplePercent, ...repairs }, cursor) => {
      const options = { ...repairs, readPercent: full ? 100 : samplePercent }
      return repo === null ? fsckHub(ctx, options, cursor) : fsckRepo(ctx, principal, repo, options, cursor)
    }),
    gc: work({ dryRun: flag, graceHours }, (_, { graceHours: hours, ...options }, cursor) =>
      collectStep(
        ctx,
        { ...options, graceMs: hours === undefined ? ctx.collectGraceMs : hours * 3600_000 },
        cursor,
      ),
    ),
    'migrate-lfs': work({ repo: named, remove: flag }, (principal, options, cursor) =>
      migrateNow(ctx, principal, options, cursor),
    ),
    verify: work({ bytesPerSecond: rate }, (_, { bytesPerSecond }, cursor) =>
      verifyHub(ctx, readings, bytesPerSecond, cursor),
    ),
    'rebuild-index': work({}, (_, __, cursor) => rebuildIndex(ctx, cursor)),
  }
  return Object.fromEntries(
    Object.entries(works).map(([verb, step]) => [
      verb,
      async (principal, args) => {
        const done = await step(principal, args)
        const { cursor: _, ...details } = args as { cursor?: string; repo?: unknown; dryRun?: boolean }
        const isForAll = details.dryRun !== true && (details.repo ?? null) === null
        if (done.cursor === null && isForAll) await noteWork(ctx, principal, verb, details)
        return done
      },
    ]),
  )
}

const rate = z.int().min(1).max(VERIFY_RATE_MAX_BYTES).default(VERIFY_RATE_DEFAULT_BYTES)
const flag = z.boolean().default(false)
const graceHours = z.number().min(0).max(GC_HOURS_MAX).optional()
const named = z
  .strictObject(repoFields)
  .nullish()
  .transform((repo) => repo ?? null)

/** Ties fields to the step that their values go to. */
function work<F extends z.ZodRawShape>(
  fields: F,
  step: (principal: Principal, args: z.infer<z.ZodObject<F>>, cursor: string | null) => Promise<WorkStep>,
): HubWork[string] {
  const schema = z.strictObject({ ...fields, cursor: z.string().max(CURSOR_MAX_CHARS).nullish() })
  return (principal, given) => {
    const { cursor, ...args } = checked(schema, given) as z.infer<z.ZodObject<F>> & { cursor?: string | null }
    return step(principal, args as z.infer<z.ZodObject<F>>, cursor ?? null)
  }
}
