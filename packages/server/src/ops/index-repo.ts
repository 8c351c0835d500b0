/**
 * Brings a repository's row in the index up to its default branch. It runs before a change of that branch is
 * acknowledged, so that whoever made the change finds it in lists and searches; what a crash or an error left behind is
 * made good by the job of the change's event.
 */
import type { CardData } from '@cairn/protocol/api/card'

import { FILES_INDEXED_MAX } from '../limits.ts'
import type { IndexEntry, RepoLinkKind, RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { factsAt, filesAt, type RepoFacts } from './repo-facts.ts'
import { peelToCommit } from './revisions.ts'

/** `force`: also when the commit is the one that was indexed last, because the name has changed. */
export async function indexRepo(
  ctx: OpsContext,
  repoId: string,
  { force = false }: { force?: boolean } = {},
): Promise<void> {
  const { repos, refs, index } = ctx.catalog.rows
  const repo = await repos.get(repoId)
  if (repo === null || repo.deletedAt !== null) return
  const head = await refs.get(repo.id, repo.defaultRef)
  if (head === null) return
  const commit = await peelToCommit(ctx, repo.id, head.oid)
  if (!force && (await index.facts(repo.id))?.commitOid === commit.oid) return
  const files = await filesAt(ctx, repo, commit)
  const facts = await factsAt(ctx, repo, commit, files)
  const paths = files.map(({ path }) => path)
  const entry = entryOf(repo, commit.oid, facts, paths)
  await ctx.catalog.tx(async (rows) => {
    // Whoever moved the branch meanwhile indexes what it has now.
    if ((await rows.refs.get(repo.id, repo.defaultRef))?.oid !== head.oid) return
    await rows.index.put(entry)
  })
}

/** Never fails: what it could not do, the job of the event will. */
export async function indexNow(
  ctx: OpsContext,
  repo: Pick<RepoRow, 'id'>,
  options: { force?: boolean } = {},
): Promise<void> {
  try {
    await indexRepo(ctx, repo.id, options)
  } catch (error) {
    ctx.log.warn({ err: error, repoId: repo.id }, 'a change has landed, the index is behind')
  }
}

function entryOf(repo: RepoRow, commitOid: string, facts: RepoFacts, paths: readonly string[]): IndexEntry {
  const card = facts.card ?? {}
  const named = (key: string, kind: RepoLinkKind) => textsOf(card, key).map((target) => ({ kind, target }))
  const links =
    repo.type === 'space'
      ? [...named('models', 'model'), ...named('datasets', 'dataset')]
      : [
          ...facts.baseModels.map((target) => ({ kind: 'base_model' as const, target })),
          ...facts.datasets.map((target) => ({ kind: 'dataset' as const, target })),
        ]
  const words = ['pretty_name', 'title', 'short_description', 'description'].flatMap((key) =>
    textsOf(card, key),
  )
  return {
    repoId: repo.id,
    commitOid,
    pipelineTag: facts.pipelineTag,
    numParameters: facts.safetensors?.total ?? facts.gguf?.total ?? null,
    text: [...words, facts.excerpt].join('\n'),
    tags: facts.tags,
    links,
    facts: JSON.stringify(facts),
    files: paths.length > FILES_INDEXED_MAX ? null : JSON.stringify(paths),
  }
}

function textsOf(card: CardData, key: string): string[] {
  const value = Object.hasOwn(card, key) ? card[key] : null
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string').slice(0, 100)
}
