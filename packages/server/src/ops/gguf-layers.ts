/** What a commit of GGUF files is made of for a puller: which files its manifests name, and by which digests. */
import { createHash } from 'node:crypto'

import { chooseProjector, modelsOf, parseGgufPath, type GgufFile } from '@cairn/protocol/api/gguf-files'
import { formatConfig, LAYER_KINDS, type Layer, type LayerKind } from '@cairn/protocol/api/ollama-manifest'
import { HubError } from '@cairn/protocol/errors'

import { GGUF_FILES_MAX, METADATA_FILE_MAX_BYTES } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { blobFacts, readBlob } from './trees.ts'
import { ggufFacts, type FileEntry } from './weights.ts'

/** Immutable but for what is found out about it on the way. */
export interface PullSource {
  ggufs: readonly GgufFile[]
  /** Those that have a manifest: models in one file. */
  models: readonly GgufFile[]
  /** Files of the root that become layers, by what they become. */
  texts: ReadonlyMap<LayerKind, FileEntry>
  /** Every file that a manifest names. */
  named: readonly FileEntry[]
  /** Oids of the GGUF files' blobs, by path. */
  oids: ReadonlyMap<string, string>
  /** Config blobs made so far, by the path of their model. */
  configs: Map<string, { sha256: string; bytes: Uint8Array }>
  /** sha256 of files that lie in git, by the oid of their blob. */
  hashes: Map<string, string>
}

export interface FileIdentity {
  sha256: string
  sizeBytes: number
}

/** `files` are those of one commit, in its order. */
export function pullSourceOf(files: readonly FileEntry[]): PullSource {
  const ggufs: GgufFile[] = []
  const oids = new Map<string, string>()
  const texts = new Map<LayerKind, FileEntry>()
  for (const file of files) {
    const gguf = parseGgufPath(file.path)
    if (gguf !== null) {
      ggufs.push(gguf)
      oids.set(file.path, file.oid)
    }
    const kind = textKindOf(file.path)
    if (kind !== null && !texts.has(kind)) texts.set(kind, file)
  }
  if (ggufs.length > GGUF_FILES_MAX)
    throw new HubError('BadRequest', `More than ${GGUF_FILES_MAX} GGUF files cannot be pulled by tags`)
  const models = modelsOf(ggufs).filter(({ shard }) => shard === null)
  const paths = new Set(models.map(({ path }) => path))
  for (const model of models) paths.add(chooseProjector(ggufs, model)?.path ?? model.path)
  const named = [...paths].map((path) => ({ path, oid: oids.get(path) ?? '' }))
  if (models.length > 0) named.push(...texts.values())
  return { ggufs, models, texts, named, oids, configs: new Map(), hashes: new Map() }
}

function textKindOf(path: string): LayerKind | null {
  if (path === 'template' || path === 'system' || path === 'params') return path
  return /^licen[cs]e(?:\.(?:md|txt))?$/i.test(path) ? 'license' : null
}

export async function layersOf(
  ctx: OpsContext,
  repo: RepoRow,
  source: PullSource,
  model: GgufFile,
): Promise<Layer[]> {
  const layerOf = async (kind: LayerKind, oid: string) => ({
    kind,
    ...(await identityOf(ctx, repo, source, oid)),
  })
  const layers = [await layerOf('model', source.oids.get(model.path) ?? '')]
  const projector = chooseProjector(source.ggufs, model)
  if (projector !== null) layers.push(await layerOf('projector', source.oids.get(projector.path) ?? ''))
  for (const [kind, file] of source.texts)
    if (await isUsableText(ctx, repo, kind, file)) layers.push(await layerOf(kind, file.oid))
  return layers.toSorted((a, b) => LAYER_KINDS.indexOf(a.kind) - LAYER_KINDS.indexOf(b.kind))
}

/** A licence may be left out; the others change what the model says, so a wrong one is refused. */
async function isUsableText(
  ctx: OpsContext,
  repo: RepoRow,
  kind: LayerKind,
  { path, oid }: FileEntry,
): Promise<boolean> {
  const facts = (await blobFacts(ctx, repo.id, [oid])).get(oid)
  const isText = facts?.lfs === null && facts.sizeBytes <= METADATA_FILE_MAX_BYTES
  if (isText && (kind !== 'params' || isObject(await readBlob(ctx, repo.id, oid)))) return true
  if (kind === 'license') return false
  const form = kind === 'params' ? 'a JSON object' : 'a text'
  throw new HubError(
    'BadRequest',
    `The file '${path}' must be ${form} of at most ${METADATA_FILE_MAX_BYTES} bytes`,
  )
}

function isObject(bytes: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    // Not JSON: the caller says what it must be.
    return false
  }
}

/** Of the content, wherever it lies: an LFS or Xet file is known by its sha256 already. */
export async function identityOf(
  ctx: OpsContext,
  repo: RepoRow,
  source: PullSource,
  oid: string,
): Promise<FileIdentity> {
  const facts = (await blobFacts(ctx, repo.id, [oid])).get(oid)
  if (facts === undefined) throw new HubError('Internal', `The blob ${oid} is missing`)
  if (facts.lfs !== null) return { sha256: facts.lfs.oid, sizeBytes: facts.lfs.sizeBytes }
  let sha256 = source.hashes.get(oid)
  if (sha256 === undefined) source.hashes.set(oid, (sha256 = sha256Of(await readBlob(ctx, repo.id, oid))))
  return { sha256, sizeBytes: facts.sizeBytes }
}

export async function configOf(
  ctx: OpsContext,
  repo: RepoRow,
  source: PullSource,
  model: GgufFile,
): Promise<{ sha256: string; bytes: Uint8Array }> {
  const known = source.configs.get(model.path)
  if (known !== undefined) return known
  const layers = await layersOf(ctx, repo, source, model)
  const gguf = await ggufFacts(ctx, repo, { path: model.path, oid: source.oids.get(model.path) ?? '' })
  const bytes = formatConfig(layers, { quant: model.quant, gguf })
  const config = { sha256: sha256Of(bytes), bytes }
  source.configs.set(model.path, config)
  return config
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
