/** Everything that a commit's files say about a repository, for info replies, lists and searches. Immutable. */
import type { CardData } from '@cairn/protocol/api/card'
import { deriveCardFacts, type CardFacts } from '@cairn/protocol/api/card-facts'
import { deriveConfig, deriveTransformersInfo, maskToken } from '@cairn/protocol/api/model-config'
import type { TransformersInfo } from '@cairn/protocol/api/model-config'

import type { CommitRecord } from '../git/git-store.ts'
import { CARD_EXCERPT_LENGTH_MAX, MODEL_CONFIG_MAX_LENGTH } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { readCard } from './documents.ts'
import { isFile, readTextFile, walk } from './trees.ts'
import { readJsonFile, readWeights, type FileEntry, type Weights } from './weights.ts'

export interface RepoFacts extends CardFacts, Weights {
  /** Facts that another version of the hub stored are computed again. */
  version: number
  card: CardData | null
  /** The beginning of the README's prose, on one line. */
  excerpt: string
  config: Record<string, unknown> | null
  transformersInfo: TransformersInfo | null
  maskToken: string | null
}

const VERSION = 1

export async function filesAt(ctx: OpsContext, repo: RepoRow, commit: CommitRecord): Promise<FileEntry[]> {
  const files: FileEntry[] = []
  for await (const { path, entry } of walk(ctx, repo.id, commit.treeOid, { prefix: '', recursive: true }))
    if (isFile(entry)) files.push({ path, oid: entry.oid })
  return files
}

/** `files` are those of the commit. */
export async function factsAt(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  files: readonly FileEntry[],
): Promise<RepoFacts> {
  const key = `${repo.id}/${commit.oid}`
  const known = ctx.caches.facts.get(key)
  if (known !== undefined) return known
  const stored = await ctx.catalog.rows.index.facts(repo.id)
  const facts =
    (stored?.commitOid === commit.oid ? parseFacts(stored.facts) : null) ??
    (await computeFacts(ctx, repo, commit, files))
  ctx.caches.facts.set(key, facts)
  return facts
}

/** Null for what another version wrote. */
export function parseFacts(text: string): RepoFacts | null {
  const facts = JSON.parse(text) as RepoFacts
  return facts.version === VERSION ? facts : null
}

async function computeFacts(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  files: readonly FileEntry[],
): Promise<RepoFacts> {
  const readme = (await readTextFile(ctx, repo, commit, 'README.md'))?.text ?? ''
  const card = (await readCard(ctx, readme)).data
  const paths = files.map(({ path }) => path)
  const common = {
    ...deriveCardFacts(repo.type, card, paths, readme),
    version: VERSION,
    card,
    excerpt: excerptOf(readme),
  }
  if (repo.type !== 'model')
    return { ...common, config: null, transformersInfo: null, maskToken: null, safetensors: null, gguf: null }
  const json = (name: string) =>
    readJsonFile(
      ctx,
      repo,
      files.find(({ path }) => path === name),
    )
  const modelFiles = {
    config: await json('config.json'),
    tokenizerConfig: await json('tokenizer_config.json'),
    modelIndex: await json('model_index.json'),
    adapterConfig: await json('adapter_config.json'),
  }
  return {
    ...common,
    config: ofModestSize(deriveConfig(modelFiles)),
    transformersInfo:
      common.libraryName === 'transformers' ? deriveTransformersInfo(modelFiles.config, paths) : null,
    maskToken: maskToken(modelFiles),
    ...(await readWeights(ctx, repo, files)),
  }
}

/** A list sends a hundred of them. */
function ofModestSize(config: Record<string, unknown> | null): Record<string, unknown> | null {
  return JSON.stringify(config).length > MODEL_CONFIG_MAX_LENGTH ? null : config
}

/** Without front matter, markup of headings and links, and line ends. */
function excerptOf(readme: string): string {
  const body = readme
    .replace(/^\s*---\r?\n[\s\S]*?\r?\n---[ \t]*(?:\r?\n|$)/, '')
    .slice(0, CARD_EXCERPT_LENGTH_MAX * 2)
  const prose = body.replace(/<!--[\s\S]*?(?:-->|$)/g, ' ').replace(/\]\([^)\s]*\)/g, ' ')
  return prose
    .replace(/[#*`[\]!|]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, CARD_EXCERPT_LENGTH_MAX)
    .toWellFormed()
}
