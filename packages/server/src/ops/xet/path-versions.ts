/**
 * Which large contents have lain at which path of a repository, noted after a landing. Whoever uploads a file that
 * looks like an old version of a path is told of the xorbs of the later ones, too (xet.md §8.2). A hint, no more: what is
 * missing costs a few bytes of an upload.
 */
import { createHash } from 'node:crypto'

import { PATH_VERSIONS_PER_TRANSACTION } from '../../limits.ts'
import type { PathVersion } from '../../store/catalog/catalog.ts'
import type { OpsContext } from '../context.ts'
import { blobFacts } from '../trees.ts'

interface Landed {
  repoId: string
  refs: readonly { name: string; old: string | null; new: string | null }[]
}

export async function notePathVersions(ctx: OpsContext, { repoId, refs }: Landed): Promise<void> {
  const repo = await ctx.catalog.rows.repos.get(repoId)
  if (repo === null || repo.deletedAt !== null) return
  const branches = refs.filter(({ name, new: next }) => next !== null && !name.startsWith('refs/tags/'))
  if (branches.length === 0) return
  // A new branch begins somewhere in what the default branch has.
  const main = await ctx.catalog.rows.refs.get(repoId, repo.defaultRef)
  const known = new Set([main?.oid ?? null, ...branches.map(({ old }) => old)])
  const fresh = branches.map(({ new: next }) => next!)
  for (const oid of fresh) known.delete(oid)
  known.delete(null)
  const roots = await present(ctx, repoId, fresh)
  const blobs = await ctx.git.smallBlobs(repoId, roots, await present(ctx, repoId, [...known] as string[]))
  const landedAt = ctx.clock()
  for (let at = 0; at < blobs.length; at += PATH_VERSIONS_PER_TRANSACTION) {
    const slice = blobs.slice(at, at + PATH_VERSIONS_PER_TRANSACTION)
    const oids = slice.map(({ oid }) => oid)
    const facts = await blobFacts(ctx, repoId, oids)
    const versions = slice.flatMap(({ oid, path }): PathVersion[] => {
      const lfs = facts.get(oid)?.lfs ?? null
      const pathKey = createHash('sha256').update(path).digest('hex')
      return lfs === null ? [] : [{ pathKey, oid: lfs.oid, landedAt }]
    })
    if (versions.length > 0) await ctx.catalog.tx((rows) => rows.xet.notePathVersions(repoId, versions))
  }
}

/** By the time that a job runs, what was there may have been rewritten and pruned. */
async function present(ctx: OpsContext, repoId: string, commits: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const oid of new Set(commits)) if ((await ctx.git.stat(repoId, oid)) !== null) found.push(oid)
  return found
}
