/**
 * Collection (docs/adr/0016): contents that no commit of any repository names, and no upload under way relies on, are
 * removed, late and in steps that may stop anywhere. The order follows the references: rights of repositories →
 * recipes of files → blobs. So one run finds what the one before it let go of, and the bytes go last.
 */
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { OpsContext } from '../context.ts'
import { stepThrough, type WalkStep, type WorkStep } from '../work-step.ts'
import type { CollectOptions } from './counts.ts'
import { collectLinks } from './links.ts'
import { doomStrays, dropStaleParts, sweep } from './sweep.ts'
import { collectRecipes, doomUnneeded } from './unneeded.ts'

export function collectStep(
  ctx: OpsContext,
  options: CollectOptions,
  cursor: string | null,
): Promise<WorkStep> {
  return stepThrough(
    {
      repositories: (after) => nextRepo(ctx, after, options),
      recipes: (after) => collectRecipes(ctx, after, options),
      'LFS objects': (after) => doomUnneeded(ctx, 'lfs', after, options),
      xorbs: (after) => doomUnneeded(ctx, 'xorbs', after, options),
      shards: (after) => doomUnneeded(ctx, 'shards', after, options),
      blobs: (after) => doomStrays(ctx, after, options),
      'doomed blobs': (after) => sweep(ctx, after, options),
      'uploads in parts': () => dropStaleParts(ctx, options),
    },
    cursor,
  )
}

/** Deleted ones keep what they have as long as they can be restored; then their rows go, and the rights with them. */
async function nextRepo(ctx: OpsContext, after: string | null, options: CollectOptions): Promise<WalkStep> {
  const { repos } = ctx.catalog.rows
  const total = after === null ? await repos.count(null, null) : null
  const [repo] = await repos.list(null, after, 1)
  if (repo === undefined) return { after: null, at: '', done: 0, total, findings: [], counts: {} }
  const at = `${repo.type} ${formatRepoId(repo)}`
  const step: WalkStep = { after: repo.id, at, done: 1, total, findings: [], counts: {} }
  try {
    return { ...step, counts: await collectLinks(ctx, repo, options) }
  } catch (error) {
    // A history that cannot be read names everything.
    ctx.log.error({ err: error, repoId: repo.id }, 'the contents of a repository cannot be collected')
    const message = `its history cannot be read, so it keeps all its contents: ${(error as Error).message}`
    return { ...step, findings: [{ subject: at, message, state: 'problem' }] }
  }
}
