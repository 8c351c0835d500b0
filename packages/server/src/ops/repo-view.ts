/** A repository as info replies and lists show it: its row, its facts, its counts, and what others say about it. */
import type { CommitRecord } from '../git/git-store.ts'
import { SPACES_OF_MODEL_MAX } from '../limits.ts'
import type { ListedRepo, RepoCounts, RepoRow, Visibility } from '../store/catalog/catalog.ts'
import type { BlobFacts } from './caches.ts'
import type { OpsContext } from './context.ts'
import { factsAt, filesAt, parseFacts, type RepoFacts } from './repo-facts.ts'
import { peelToCommit } from './revisions.ts'

export interface RepoView {
  repo: RepoRow
  /** null before the first commit. */
  commitOid: string | null
  /** null before the first commit. */
  facts: RepoFacts | null
  counts: RepoCounts
  siblings: { path: string; oid?: string; blob: BlobFacts | null }[]
  relations: Relations
}

/** Each is there when it was asked for. */
export interface Relations {
  storedBytes?: number
  childCount?: number
  spaces?: string[]
}

export type Relation = keyof Relations

/** What the catalog's row of a list shows, read from git where the row is behind or cut short. */
export async function viewOf(ctx: OpsContext, listed: ListedRepo): Promise<RepoView> {
  const { repo, head, facts: stored, counts } = listed
  const base = { repo, commitOid: head, counts, relations: {} }
  if (head === null) return { ...base, facts: null, siblings: [] }
  const facts = stored?.commitOid === head ? parseFacts(stored.facts) : null
  if (facts !== null && stored !== null && stored.files !== null) {
    const paths = JSON.parse(stored.files) as string[]
    return { ...base, facts, siblings: paths.map((path) => ({ path, blob: null })) }
  }
  const commit: CommitRecord = await peelToCommit(ctx, repo.id, head)
  const files = await filesAt(ctx, repo, commit)
  return {
    ...base,
    commitOid: commit.oid,
    facts: facts ?? (await factsAt(ctx, repo, commit, files)),
    siblings: files.map(({ path }) => ({ path, blob: null })),
  }
}

/** Looks up what was asked for, for all views at once. */
export async function relate(
  ctx: OpsContext,
  visibility: Visibility,
  views: readonly RepoView[],
  wanted: ReadonlySet<Relation>,
): Promise<void> {
  const { index, listing } = ctx.catalog.rows
  const registryId = views[0]?.repo.registryId
  if (registryId === undefined) return
  const idOf = ({ repo }: RepoView) => `${repo.namespace}/${repo.name}`
  const targets = views.map(idOf)
  if (wanted.has('storedBytes')) {
    const bytes = await index.storedBytes(views.map(({ repo }) => repo.id))
    for (const view of views) view.relations.storedBytes = bytes.get(view.repo.id) ?? 0
  }
  if (wanted.has('childCount')) {
    const found = await listing.linking(registryId, 'model', visibility, 'base_model', targets, 1)
    for (const view of views) view.relations.childCount = found.get(idOf(view))?.count ?? 0
  }
  if (wanted.has('spaces')) {
    const kind = views[0]?.repo.type === 'dataset' ? 'dataset' : 'model'
    const found = await listing.linking(registryId, 'space', visibility, kind, targets, SPACES_OF_MODEL_MAX)
    for (const view of views) view.relations.spaces = found.get(idOf(view))?.ids ?? []
  }
}
