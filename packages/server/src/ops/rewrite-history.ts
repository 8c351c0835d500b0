/**
 * A history without certain blobs: every commit that reaches one of them is made anew without it, and so is every
 * commit after it. Commits keep their authors, dates and messages; those without such a blob stay the same objects.
 */
import { HubError } from '@cairn/protocol/errors'
import { parseCommit, parseTag } from '@cairn/protocol/git/commits'
import { EMPTY_TREE_OID, newObject, type NewObject } from '@cairn/protocol/git/objects'
import { findSpans, rewriteCommit, rewriteTag, rewriteTree } from '@cairn/protocol/git/rewrite'

import { HISTORY_REWRITE_BUFFER_MAX_BYTES, HISTORY_REWRITE_COMMITS_MAX, TAG_DEPTH_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import type { RefChange } from './land.ts'
import { peelToCommit } from './revisions.ts'
import { emptyTree } from './write-commit.ts'

/** Writes the new objects and returns how the refs must move. Nothing moves here. */
export async function planWithoutBlobs(
  ctx: OpsContext,
  repo: RepoRow,
  blobs: ReadonlySet<string>,
): Promise<RefChange[]> {
  if (blobs.size === 0) return []
  const refs = await ctx.catalog.rows.refs.list(repo.id)
  const heads = new Set<string>()
  for (const { oid } of refs) heads.add((await peelToCommit(ctx, repo.id, oid)).oid)
  const commits = await ctx.git.commitsFrom(repo.id, [...heads])
  if (commits.length > HISTORY_REWRITE_COMMITS_MAX)
    throw new HubError(
      'TooLarge',
      `A history of more than ${HISTORY_REWRITE_COMMITS_MAX} commits is not rewritten`,
    )
  const rewriting = new Rewriting(ctx, repo, blobs)
  for (const oid of commits) await rewriting.commit(oid)
  const changes: RefChange[] = []
  for (const { name, oid } of refs) {
    const next = await rewriting.target(oid)
    if (next !== oid) changes.push({ name, old: oid, next })
  }
  await rewriting.flush()
  return changes
}

class Rewriting {
  readonly #ctx: OpsContext
  readonly #repo: RepoRow
  readonly #blobs: ReadonlySet<string>
  /** From old oids to new ones, of commits and of trees; null for a tree that has nothing left. */
  readonly #commits = new Map<string, string>()
  readonly #trees = new Map<string, string | null>()
  #made: NewObject[] = []
  #madeBytes = 0

  constructor(ctx: OpsContext, repo: RepoRow, blobs: ReadonlySet<string>) {
    this.#ctx = ctx
    this.#repo = repo
    this.#blobs = blobs
  }

  /** Call it for parents before their children. */
  async commit(oid: string): Promise<void> {
    const { bytes } = await this.#ctx.git.read(this.#repo.id, oid)
    const { treeOid, parents } = parseCommit(bytes)
    let newTree = await this.#tree(treeOid)
    if (newTree === null) {
      if (treeOid !== EMPTY_TREE_OID) await this.#keep(emptyTree)
      newTree = EMPTY_TREE_OID
    }
    const newParents = parents.map((parent) => this.#commits.get(parent) ?? parent)
    const isSame = newTree === treeOid && newParents.every((parent, index) => parent === parents[index])
    this.#commits.set(
      oid,
      isSame
        ? oid
        : await this.#make('commit', rewriteCommit(bytes, { treeOid: newTree, parents: newParents })),
    )
  }

  /** What a ref at `oid` must point at now: a commit, or an annotated tag that leads to one. */
  async target(oid: string, depth = 0): Promise<string> {
    const known = this.#commits.get(oid)
    if (known !== undefined) return known
    const { type, bytes } = await this.#ctx.git.read(this.#repo.id, oid)
    if (type !== 'tag' || depth > TAG_DEPTH_MAX) return oid
    const { targetOid } = parseTag(bytes)
    const next = await this.target(targetOid, depth + 1)
    return next === targetOid ? oid : this.#make('tag', rewriteTag(bytes, next))
  }

  async flush(): Promise<void> {
    const made = this.#made
    this.#made = []
    this.#madeBytes = 0
    await this.#ctx.git.write(this.#repo.id, made)
  }

  async #tree(oid: string): Promise<string | null> {
    const known = this.#trees.get(oid)
    if (known !== undefined) return known
    const { bytes } = await this.#ctx.git.read(this.#repo.id, oid)
    const changes = []
    for (const span of findSpans(bytes, this.#blobs)) {
      const target = span.isFolder ? await this.#tree(span.oid) : null
      if (target !== span.oid) changes.push({ ...span, next: target })
    }
    let next: string | null = oid
    if (changes.length > 0) {
      const rest = rewriteTree(bytes, changes)
      next = rest.length === 0 ? null : await this.#make('tree', rest)
    }
    this.#trees.set(oid, next)
    return next
  }

  async #make(type: NewObject['type'], bytes: Uint8Array): Promise<string> {
    const object = newObject(this.#ctx.primitives, type, bytes)
    await this.#keep(object)
    return object.oid
  }

  async #keep(object: NewObject): Promise<void> {
    this.#made.push(object)
    this.#madeBytes += object.bytes.length
    if (this.#madeBytes > HISTORY_REWRITE_BUFFER_MAX_BYTES) await this.flush()
  }
}
