/**
 * A repository of GGUF files as a registry that Ollama pulls from: manifests by tag and blobs by digest, made from the
 * head of the default branch. A blob is served because a manifest of this very repository names it, never because
 * somebody knows its digest.
 */
import { chooseModel, chooseProjector, tagsOf, type GgufFile } from '@cairn/protocol/api/gguf-files'
import { formatManifest, parseDigest } from '@cairn/protocol/api/ollama-manifest'
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId, printable } from '@cairn/protocol/repo-id'

import { GGUF_TAGS_LISTED_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import { openBytes, type Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { configOf, identityOf, layersOf, pullSourceOf, sha256Of, type PullSource } from './gguf-layers.ts'
import { filesAt } from './repo-facts.ts'
import { resolveRevisionOrUnborn } from './revisions.ts'
import { blobFacts } from './trees.ts'
import { openFile } from './weights.ts'

export interface ChosenFile {
  path: string
  /** Of the git blob. */
  oid: string
  sha256: string
  sizeBytes: number
}

export async function pullManifest(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  tag: string,
): Promise<{ bytes: Uint8Array; sha256: string }> {
  const { repo, source } = await openSource(ctx, principal, locator)
  const model = modelFor(repo, source, tag)
  if (model.shard !== null)
    throw new HubError(
      'BadRequest',
      `${printable(model.path)} is one of ${model.shard.count} parts, and Ollama takes a model from one file only: merge them`,
    )
  const layers = await layersOf(ctx, repo, source, model)
  const config = await configOf(ctx, repo, source, model)
  const bytes = formatManifest(layers, { sha256: config.sha256, sizeBytes: config.bytes.length })
  return { bytes, sha256: sha256Of(bytes) }
}

/** The files for a tag: llama.cpp downloads them by name, and then the other parts of a split model. */
export async function pullFiles(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  tag: string,
): Promise<{ model: ChosenFile; projector: ChosenFile | null }> {
  const { repo, source } = await openSource(ctx, principal, locator)
  const chosen = async ({ path }: GgufFile) => {
    const oid = source.oids.get(path) ?? ''
    return { path, oid, ...(await identityOf(ctx, repo, source, oid)) }
  }
  const model = modelFor(repo, source, tag)
  const projector = chooseProjector(source.ggufs, model)
  return { model: await chosen(model), projector: projector === null ? null : await chosen(projector) }
}

export async function pullBlob(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  digest: string,
): Promise<{ repo: RepoRow; content: Content; isModel: boolean }> {
  const { repo, source } = await openSource(ctx, principal, locator)
  const sha256 = parseDigest(digest)
  const found = sha256 === null ? null : await findBlob(ctx, repo, source, sha256)
  if (found === null)
    throw new HubError('EntryNotFound', `No manifest of ${formatRepoId(repo)} names ${printable(digest)}`)
  return { repo, ...found }
}

async function openSource(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
): Promise<{ repo: RepoRow; source: PullSource }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { commit } = await resolveRevisionOrUnborn(ctx, repo, '')
  const key = `${repo.id}/${commit.oid}`
  let source = ctx.caches.pulls.get(key)
  if (source === undefined) {
    source = pullSourceOf(await filesAt(ctx, repo, commit))
    ctx.caches.pulls.set(key, source)
  }
  return { repo, source }
}

/** Refused with 400, as by the Hub: of that Ollama shows the text, of a 404 only that there is no file. */
function modelFor(repo: RepoRow, { ggufs }: PullSource, tag: string): GgufFile {
  const model = chooseModel(ggufs, tag)
  if (model !== null) return model
  const tags = tagsOf(ggufs)
  if (tags.length === 0) throw new HubError('BadRequest', `${formatRepoId(repo)} holds no GGUF model`)
  const listed = tags.slice(0, GGUF_TAGS_LISTED_MAX).map((name) => printable(name))
  if (listed.length < tags.length) listed.push('…')
  throw new HubError(
    'BadRequest',
    `${formatRepoId(repo)} has no tag '${printable(tag)}'; it has ${listed.join(', ')}`,
  )
}

/** Configs are looked at last: the first look makes those of all models, which reads the head of each. */
async function findBlob(
  ctx: OpsContext,
  repo: RepoRow,
  source: PullSource,
  sha256: string,
): Promise<{ content: Content; isModel: boolean } | null> {
  // One look for all of them, so that the ones behind it find their answers.
  await blobFacts(
    ctx,
    repo.id,
    source.named.map(({ oid }) => oid),
  )
  for (const file of source.named) {
    if ((await identityOf(ctx, repo, source, file.oid)).sha256 !== sha256) continue
    const content = await openFile(ctx, repo, file)
    return content === null
      ? null
      : { content, isModel: source.models.some(({ path }) => path === file.path) }
  }
  for (const model of source.models) {
    const config = await configOf(ctx, repo, source, model)
    if (config.sha256 === sha256) return { content: openBytes(config.bytes), isModel: false }
  }
  return null
}
