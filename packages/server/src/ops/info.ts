/** What is known about a repository at a revision. hub-api.md §4.1. */
import { parseCard, type CardData } from '@cairn/protocol/api/card'
import { deriveCardFacts, type CardFacts } from '@cairn/protocol/api/card-facts'

import type { CommitRecord } from '../git/git-store.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import type { BlobFacts } from './caches.ts'
import type { OpsContext } from './context.ts'
import { resolveRevisionOrUnborn } from './revisions.ts'
import { blobFacts, isFile, readTextFile, walk } from './trees.ts'

export interface RepoInfo {
  repo: RepoRow
  /** Without an oid when the repository has no commit yet. */
  commit: CommitRecord
  card: CardData | null
  facts: CardFacts
  siblings: { path: string; oid: string; blob: BlobFacts | null }[]
}

export async function repoInfo(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  /** null: the default branch. */
  revision: string | null,
  options: { blobs: boolean },
): Promise<RepoInfo> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { commit } = await resolveRevisionOrUnborn(ctx, repo, revision ?? '')
  const files: { path: string; oid: string }[] = []
  for await (const { path, entry } of walk(ctx, repo.id, commit.treeOid, { prefix: '', recursive: true }))
    if (isFile(entry)) files.push({ path, oid: entry.oid })
  const facts = options.blobs
    ? await blobFacts(
        ctx,
        repo.id,
        files.map(({ oid }) => oid),
      )
    : null
  const card = await cardOf(ctx, repo, commit)
  return {
    repo,
    commit,
    card,
    facts: deriveCardFacts(
      repo.type,
      card,
      files.map(({ path }) => path),
    ),
    siblings: files.map(({ path, oid }) => ({ path, oid, blob: facts?.get(oid) ?? null })),
  }
}

/** The front matter of README.md; null when there is none or it cannot be read. */
async function cardOf(ctx: OpsContext, repo: RepoRow, commit: CommitRecord): Promise<CardData | null> {
  const readme = await readTextFile(ctx, repo, commit, 'README.md')
  if (readme === null) return null
  const key = `${repo.id}/${readme.oid}`
  let card = ctx.caches.cards.get(key)
  if (card === undefined) {
    card = { data: parseCard(readme.text).data }
    ctx.caches.cards.set(key, card)
  }
  return card.data
}
