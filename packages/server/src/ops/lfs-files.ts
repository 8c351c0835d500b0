/**
 * The contents that a repository holds in LFS and Xet, whether its history still names them or not, and their removal
 * for good. Both need the right to write: what is listed includes what people took out of sight. hub-api.md §5.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'

import { LFS_FILES_PAGE_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'
import { historyPointers } from './history-pointers.ts'
import { landRefs, RefMovedError } from './land.ts'
import { readCommit } from './revisions.ts'
import { planWithoutBlobs } from './rewrite-history.ts'
import { blobFacts, isFile, walk } from './trees.ts'

export interface LfsFile {
  /** Hex sha256; it also names the file when it is to be deleted. */
  oid: string
  sizeBytes: number
  /** When its bytes first came to this owner. */
  pushedAt: number
  /** One of its paths in history, or its sha256 when no commit names it. */
  filename: string
  /** The default branch, when that is where it is named. */
  ref: string | null
}

/** By sha256. */
export async function listLfsFiles(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  page: { cursor: string | null; limit: number | null },
): Promise<{ files: LfsFile[]; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const listing = `lfs-files/${repo.id}`
  const after = openCursor(ctx.signer, listing, page.cursor)
  const limit = Math.min(page.limit ?? LFS_FILES_PAGE_MAX, LFS_FILES_PAGE_MAX)
  const found = await ctx.catalog.rows.blobs.listContent(
    repo.id,
    after === null ? null : String(after),
    limit + 1,
  )
  const { places } = await historyPointers(ctx, repo)
  const files = found.slice(0, limit).map(({ oid, sizeBytes, createdAt }) => {
    const place = places.get(oid)
    return { oid, sizeBytes, pushedAt: createdAt, filename: place?.path ?? oid, ref: place?.ref ?? null }
  })
  const last = files.at(-1)
  const more = found.length > limit && last !== undefined
  return { files, nextCursor: more ? sealCursor(ctx.signer, listing, last.oid) : null }
}

/**
 * Takes contents away from the repository, those that it does not have are no error. With `rewriteHistory` every
 * branch and tag loses the pointers to them, in all commits; without, the pointers stay and lead nowhere.
 */
export async function purgeLfsFiles(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  request: { oids: readonly string[]; rewriteHistory: boolean },
): Promise<void> {
  const oids = new Set(request.oids)
  const { id } = await repoFor(ctx, principal, locator, 'write')
  if (oids.size === 0) return
  await ctx.repoQueue.run(id, async () => {
    // Read again: the repository may have changed or gone while this waited for its turn.
    const repo = await repoFor(ctx, principal, locator, 'write')
    await assertNotRetained(ctx, repo, oids)
    const changes = request.rewriteHistory
      ? await planWithoutBlobs(ctx, repo, await blobsNaming(ctx, repo, oids))
      : []
    const details = { oids: [...oids], rewriteHistory: request.rewriteHistory }
    const audit = auditRow(ctx, principal, 'lfs.purge', formatRepoId(repo), details, repo.id)
    if (changes.length === 0) {
      await ctx.catalog.tx(async (rows) => {
        await rows.blobs.unlinkContent(repo.id, [...oids])
        await rows.audit.insert(audit)
      })
      return
    }
    try {
      await landRefs(ctx, {
        repo,
        principal,
        changes,
        reason: 'rewrite',
        pointers: [],
        alongside: async (rows) => {
          await rows.blobs.unlinkContent(repo.id, [...oids])
          await rows.audit.insert(audit)
        },
      })
    } catch (error) {
      if (error instanceof RefMovedError) throw new HubError('Conflict', error.message, { cause: error })
      throw error
    }
  })
}

async function blobsNaming(ctx: OpsContext, repo: RepoRow, oids: ReadonlySet<string>): Promise<Set<string>> {
  const { blobs } = await historyPointers(ctx, repo)
  return new Set([...blobs].flatMap(([blob, oid]) => (oids.has(oid) ? [blob] : [])))
}

/** A published version keeps its files whatever happens to the refs. */
async function assertNotRetained(ctx: OpsContext, repo: RepoRow, oids: ReadonlySet<string>): Promise<void> {
  for (const { oid } of await ctx.catalog.rows.retained.list(repo.id)) {
    const { treeOid } = await readCommit(ctx, repo.id, oid)
    for await (const { path, entry } of walk(ctx, repo.id, treeOid, { prefix: '', recursive: true })) {
      if (!isFile(entry)) continue
      const lfs = (await blobFacts(ctx, repo.id, [entry.oid])).get(entry.oid)?.lfs
      if (lfs !== null && lfs !== undefined && oids.has(lfs.oid))
        throw new HubError('Conflict', `The published version ${oid} needs ${path}: it cannot be deleted`)
    }
  }
}
