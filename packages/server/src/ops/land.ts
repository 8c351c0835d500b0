/**
 * The one door for refs. HTTP commits, branches, tags, new repositories and pushes change refs here and nowhere else.
 *
 * The refs table is the truth, the refs in the bare repository follow it. The order is what makes a crash harmless:
 * objects are on disk already → one transaction swaps the refs, writes audit row and event and marks the projection
 * dirty → `update-ref` → the mark is cleared → the index is brought up → the caller is told. A projection that stayed behind is repaired before
 * the next git operation and at start.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId, printable } from '@cairn/protocol/repo-id'

import { REFS_PER_REPO_MAX } from '../limits.ts'
import type { CatalogRows, HubEvent, RepoRow } from '../store/catalog/catalog.ts'
import type { Principal } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { indexNow } from './index-repo.ts'

export interface RefChange {
  /** Full name. */
  name: string
  /** What the ref must be now; null: it must not exist. */
  old: string | null
  /** null deletes it. */
  next: string | null
}

export interface Landing {
  repo: RepoRow
  principal: Principal
  changes: readonly RefChange[]
  /** e.g. `commit`, `branch.create`; the audit row's action is `ref.` and this. */
  reason: string
  /** sha256 of every LFS or Xet object that newly written pointers name. */
  pointers: readonly string[]
  /** Rows that must commit together with the refs, e.g. those of the repository itself. */
  alongside?: (rows: CatalogRows, emit: (event: HubEvent) => void) => Promise<void>
}

/** A ref was not where the caller took it to be. Nothing changed. */
export class RefMovedError extends Error {
  readonly ref: string

  constructor(ref: string) {
    super(`${ref} has moved`)
    this.name = 'RefMovedError'
    this.ref = ref
  }
}

/** Lands all changes or none. Call it inside `repoQueue` of the repository. Throws `RefMovedError`. */
export async function landRefs(ctx: OpsContext, landing: Landing): Promise<void> {
  const { repo, changes } = landing
  for (const change of changes) assertPolicy(repo, change)
  await assertPresent(ctx, repo, landing.pointers)
  const at = ctx.clock()
  await ctx.catalog.tx(async (rows, emit) => {
    await landing.alongside?.(rows, emit)
    if (changes.some(isNew)) {
      const known = (await rows.refs.list(repo.id)).map(({ name }) => name)
      for (const clash of clashes(known, changes).values()) throw clash
    }
    for (const { name, old, next } of changes)
      if (!(await rows.refs.swap(repo.id, name, old, next, at))) throw new RefMovedError(name)
    await rows.repos.update(repo.id, { lastModified: at, refsDirty: true })
    await rows.quotas.forgetGitBytes(repo.id)
    const refs = changes.map(({ name, old, next }) => ({ name, old, new: next }))
    await rows.audit.insert(
      auditRow(ctx, landing.principal, `ref.${landing.reason}`, formatRepoId(repo), { refs }, repo.id),
    )
    emit({ type: 'refs.updated', repoId: repo.id, refs })
  })
  await project(ctx, repo, changes)
  if (changes.some(({ name }) => name === repo.defaultRef)) await indexNow(ctx, repo)
}

/** Full name → oid of what the bare repository should have. */
export async function refsToProject(ctx: OpsContext, repoId: string): Promise<Map<string, string>> {
  const refs = new Map((await ctx.catalog.rows.refs.list(repoId)).map(({ name, oid }) => [name, oid]))
  // Versions that a registry must not lose; the name hides them from clones.
  for (const { oid } of await ctx.catalog.rows.retained.list(repoId)) refs.set(`refs/cairn/keep/${oid}`, oid)
  return refs
}

/** Makes the bare repository's refs equal to the table's. Call it inside `repoQueue`: nobody else writes refs then. */
export async function repairProjection(ctx: OpsContext, repo: RepoRow): Promise<void> {
  const truth = await refsToProject(ctx, repo.id)
  await ctx.git.create(repo.id)
  // A git that was killed leaves its locks, and none of its refs can move again.
  await ctx.git.releaseLocks(repo.id)
  const projected = await ctx.git.listRefs(repo.id)
  const changes = projected
    .filter(({ name }) => !truth.has(name))
    .map(({ name }) => ({ name, oid: null as string | null }))
  const seen = new Map(projected.map(({ name, oid }) => [name, oid]))
  for (const [name, oid] of truth) if (seen.get(name) !== oid) changes.push({ name, oid })
  if (changes.length > 0) await ctx.git.projectRefs(repo.id, changes, repo.defaultRef)
  await ctx.catalog.tx((rows) => rows.repos.update(repo.id, { refsDirty: false }))
}

/** Before git itself looks at the refs: if they may be behind the table, waits for who is at it, and repairs them. */
export async function assertProjected(ctx: OpsContext, repo: RepoRow): Promise<void> {
  if (!repo.refsDirty) return
  await ctx.repoQueue.run(repo.id, async () => {
    const now = await ctx.catalog.rows.repos.get(repo.id)
    if (now !== null && now.deletedAt === null && now.refsDirty) await repairProjection(ctx, now)
  })
}

async function project(ctx: OpsContext, repo: RepoRow, changes: readonly RefChange[]): Promise<void> {
  try {
    if (repo.refsDirty) return await repairProjection(ctx, repo)
    await ctx.git.projectRefs(
      repo.id,
      changes.map(({ name, next }) => ({ name, oid: next })),
    )
    await ctx.catalog.tx((rows) => rows.repos.update(repo.id, { refsDirty: false }))
  } catch (error) {
    // The refs have landed: saying otherwise would make the client do it twice. The mark stays for the repair.
    ctx.log.warn({ err: error, repoId: repo.id }, 'refs landed, their projection into git is behind')
  }
}

/** Refs that only their own feature may create; nobody may delete the default branch. */
export function assertPolicy(repo: RepoRow, change: RefChange): void {
  if (change.name === repo.defaultRef && change.next === null)
    throw new HubError('Forbidden', 'The default branch cannot be deleted')
  if (change.old === null && /^refs\/(pr|cairn)(\/|$)/.test(change.name))
    throw new HubError('BadRequest', `${change.name} cannot be created this way`)
}

function isNew({ old, next }: RefChange): boolean {
  return old === null && next !== null
}

/**
 * Which of the new refs have no place beside the others, and why. git keeps refs as files: `a` and `a/b` cannot both be
 * there. The table could hold them, but their projection would fail from then on.
 */
export function clashes(known: readonly string[], changes: readonly RefChange[]): Map<string, HubError> {
  const names = new Set(known)
  for (const { name, next } of changes) if (next === null) names.delete(name)
  const folders = new Set([...names].flatMap(foldersOf))
  const found = new Map<string, HubError>()
  for (const { name } of changes.filter(isNew)) {
    const above = foldersOf(name).find((folder) => names.has(folder))
    if (above !== undefined || folders.has(name)) {
      const other = above === undefined ? `${printable(name)}/…` : printable(above)
      found.set(name, new HubError('Conflict', `'${printable(name)}' cannot be created: '${other}' exists`))
    } else if (names.size >= REFS_PER_REPO_MAX) {
      found.set(name, new HubError('TooLarge', `A repository has at most ${REFS_PER_REPO_MAX} refs`))
    } else {
      names.add(name)
      for (const folder of foldersOf(name)) folders.add(folder)
    }
  }
  return found
}

/** `refs`, `refs/heads`, `refs/heads/a` for `refs/heads/a/b`. */
function foldersOf(name: string): string[] {
  const parts = name.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}

/** A ref never points at a pointer whose object this repository does not have. */
async function assertPresent(ctx: OpsContext, repo: RepoRow, pointers: readonly string[]): Promise<void> {
  const present = await ctx.catalog.rows.blobs.contentOf(repo.id, pointers)
  const absent = pointers.find((oid) => !present.has(oid))
  if (absent !== undefined)
    throw new HubError(
      'BadRequest',
      `The LFS object ${absent} was not uploaded to ${formatRepoId(repo)}: upload it first`,
    )
}

/** At start: makes good what a crash between the transaction and `update-ref` left behind. */
export async function repairDirty(ctx: OpsContext): Promise<void> {
  for (const id of await ctx.catalog.rows.repos.listDirty()) {
    const repo = await ctx.catalog.rows.repos.get(id)
    if (repo === null) continue
    try {
      await repairProjection(ctx, repo)
    } catch (error) {
      // One damaged repository must not keep all the others from being served. Its mark stays.
      ctx.log.error({ err: error, repoId: id }, 'the refs of a repository could not be repaired')
    }
  }
}
