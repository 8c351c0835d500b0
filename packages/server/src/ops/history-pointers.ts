/** LFS pointers in all of a repository's history: which contents they name, in which blobs, at which paths. */
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { HistoryPointers } from './caches.ts'
import type { OpsContext } from './context.ts'
import { refsToProject } from './land.ts'
import { peelToCommit } from './revisions.ts'
import { blobFacts } from './trees.ts'

const FACTS_AT_ONCE = 1000

/** What the repository's refs and published versions reach now. Remembered until one of them moves. */
export async function historyPointers(ctx: OpsContext, repo: RepoRow): Promise<HistoryPointers> {
  const refs = await refsToProject(ctx, repo.id)
  const state = stateOf(refs)
  const known = ctx.caches.historyPointers.get(repo.id)
  if (known?.state === state) return known
  const heads = new Map<string, string>()
  for (const [name, oid] of refs) heads.set(name, (await peelToCommit(ctx, repo.id, oid)).oid)
  const main = heads.get(repo.defaultRef)
  const pointers: HistoryPointers = { state, blobs: new Map(), places: new Map() }
  // The default branch first: its paths are those that people know.
  const mains = main === undefined ? [] : [main]
  await gather(ctx, repo, mains, [], repo.defaultRef, pointers)
  await gather(ctx, repo, [...new Set(heads.values())], mains, null, pointers)
  ctx.caches.historyPointers.set(repo.id, pointers, { size: pointers.blobs.size + 1 })
  return pointers
}

/** As in `HistoryPointers`, of this moment. */
export async function historyState(ctx: OpsContext, repoId: string): Promise<string> {
  return stateOf(await refsToProject(ctx, repoId))
}

/** sha256 of what a commit's history names and no ref reaches. */
export async function pointersBeyond(ctx: OpsContext, repo: RepoRow, commitOid: string): Promise<string[]> {
  const refs = new Set((await refsToProject(ctx, repo.id)).values())
  if (refs.has(commitOid)) return []
  const heads: string[] = []
  for (const oid of refs) heads.push((await peelToCommit(ctx, repo.id, oid)).oid)
  const found: HistoryPointers = { state: '', blobs: new Map(), places: new Map() }
  await gather(ctx, repo, [commitOid], heads, null, found)
  return [...found.places.keys()]
}

function stateOf(refs: ReadonlyMap<string, string>): string {
  return [...refs].map(([name, oid]) => `${name} ${oid}`).join('\n')
}

async function gather(
  ctx: OpsContext,
  repo: RepoRow,
  roots: readonly string[],
  except: readonly string[],
  ref: string | null,
  into: HistoryPointers,
): Promise<void> {
  const blobs = await ctx.git.smallBlobs(repo.id, roots, except)
  for (let at = 0; at < blobs.length; at += FACTS_AT_ONCE) {
    const slice = blobs.slice(at, at + FACTS_AT_ONCE)
    const facts = await blobFacts(
      ctx,
      repo.id,
      slice.map(({ oid }) => oid),
    )
    for (const { oid, path } of slice) {
      const lfs = facts.get(oid)?.lfs
      if (lfs === null || lfs === undefined) continue
      into.blobs.set(oid, lfs.oid)
      if (!into.places.has(lfs.oid)) into.places.set(lfs.oid, { path, ref })
    }
  }
}
