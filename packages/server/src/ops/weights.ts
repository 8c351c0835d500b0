/**
 * Parameter counts from the heads of weight files, read by range: never more than the head, whatever the file's size.
 * A file that breaks its format has no facts; it is still a file.
 */
import type { GgufFacts } from '@cairn/protocol/api/gguf'
import { depthOfJson } from '@cairn/protocol/api/json-depth'
import {
  addCounts,
  parseHeaderLength,
  SAFETENSORS_PREFIX_BYTES,
  totalOf,
  type ParameterCounts,
} from '@cairn/protocol/api/safetensors'
import { FormatError } from '@cairn/protocol/errors'
import { GGUF_HEADER_MAX_BYTES } from '@cairn/protocol/limits'

import {
  GGUF_FIRST_READ_BYTES,
  MODEL_JSON_DEPTH_MAX,
  MODEL_JSON_MAX_BYTES,
  SAFETENSORS_FIRST_READ_BYTES,
  SHARD_HEADERS_READ_MAX,
  SHARD_INDEX_MAX_BYTES,
} from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { readGgufHead, readSafetensorsJson, readShardIndex } from './documents.ts'
import { openGitBlob } from './git-blob.ts'
import { openStored } from './stored-content.ts'
import { blobFacts, readBlob } from './trees.ts'

export interface Weights {
  safetensors: { parameters: ParameterCounts; total: number } | null
  gguf: GgufFacts | null
}

export interface FileEntry {
  path: string
  oid: string
}

const SINGLE_FILES = ['model.safetensors', 'diffusion_pytorch_model.safetensors', 'adapter_model.safetensors']
const INDEX_FILE = 'model.safetensors.index.json'

export async function readWeights(
  ctx: OpsContext,
  repo: RepoRow,
  files: readonly FileEntry[],
): Promise<Weights> {
  const gguf = files.find(({ path }) => /^[^/]+\.gguf$/i.test(path))
  return {
    safetensors: await factsOrNull(ctx, repo, () => readSafetensors(ctx, repo, files)),
    gguf: gguf === undefined ? null : await ggufFacts(ctx, repo, gguf),
  }
}

export function ggufFacts(ctx: OpsContext, repo: RepoRow, file: FileEntry): Promise<GgufFacts | null> {
  return factsOrNull(ctx, repo, () => readGguf(ctx, repo, file))
}

async function factsOrNull<T>(
  ctx: OpsContext,
  repo: RepoRow,
  work: () => Promise<T | null>,
): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FormatError))
      ctx.log.warn({ err: error, repoId: repo.id }, 'the head of a weight file cannot be read')
    return null
  }
}

async function readSafetensors(
  ctx: OpsContext,
  repo: RepoRow,
  files: readonly FileEntry[],
): Promise<Weights['safetensors']> {
  const heads = await safetensorsFiles(ctx, repo, files)
  if (heads.length === 0 || heads.length > SHARD_HEADERS_READ_MAX) return null
  const counts: ParameterCounts[] = []
  for (const file of heads) {
    const head = await remembered(ctx, repo, file, (content) => readSafetensorsHead(ctx, content))
    // A part of a model is not counted as the whole.
    if (head === null) return null
    counts.push(head)
  }
  const parameters = addCounts(counts)
  return { parameters, total: totalOf(parameters) }
}

/** The model's file, its shards, or the only safetensors file at the root. */
async function safetensorsFiles(
  ctx: OpsContext,
  repo: RepoRow,
  files: readonly FileEntry[],
): Promise<FileEntry[]> {
  const atRoot = new Map(files.filter(({ path }) => !path.includes('/')).map((file) => [file.path, file]))
  for (const name of SINGLE_FILES) {
    const file = atRoot.get(name)
    if (file !== undefined) return [file]
  }
  const index = atRoot.get(INDEX_FILE)
  if (index !== undefined) {
    const content = await openFile(ctx, repo, index)
    if (content === null || content.sizeBytes > SHARD_INDEX_MAX_BYTES) return []
    const shards = await readShardIndex(ctx, await readStart(content, 0, content.sizeBytes))
    const found = shards.flatMap((name) => atRoot.get(name) ?? [])
    return found.length === shards.length ? found : []
  }
  const others = [...atRoot.values()].filter(({ path }) => path.endsWith('.safetensors'))
  return others.length === 1 ? others : []
}

async function readSafetensorsHead(ctx: OpsContext, content: Content): Promise<ParameterCounts> {
  const start = await readStart(content, 0, SAFETENSORS_FIRST_READ_BYTES)
  const length = parseHeaderLength(start)
  const end = SAFETENSORS_PREFIX_BYTES + length
  if (end > content.sizeBytes) throw new FormatError('The header goes beyond the file', 0)
  if (end <= start.length) return readSafetensorsJson(ctx, start.subarray(SAFETENSORS_PREFIX_BYTES, end))
  return readSafetensorsJson(ctx, await readStart(content, SAFETENSORS_PREFIX_BYTES, length))
}

async function readGguf(ctx: OpsContext, repo: RepoRow, file: FileEntry): Promise<GgufFacts | null> {
  return remembered(ctx, repo, file, async (content) => {
    for (let size = GGUF_FIRST_READ_BYTES; ; size = Math.min(size * 4, GGUF_HEADER_MAX_BYTES)) {
      const facts = await readGgufHead(ctx, await readStart(content, 0, size))
      if (facts !== null) return facts
      if (size >= content.sizeBytes || size >= GGUF_HEADER_MAX_BYTES)
        throw new FormatError('The head goes beyond the file', size)
    }
  })
}

/** What the head of one content says, asked once. */
async function remembered<T extends object>(
  ctx: OpsContext,
  repo: RepoRow,
  file: FileEntry,
  read: (content: Content) => Promise<T>,
): Promise<T | null> {
  const key = `${repo.id}/${file.oid}`
  const known = ctx.caches.heads.get(key)
  if (known !== undefined) return known as T
  const content = await openFile(ctx, repo, file)
  if (content === null) return null
  const head = await read(content)
  ctx.caches.heads.set(key, head)
  return head
}

/** Null when the content never came, or what came has another sha256. */
export async function openFile(ctx: OpsContext, repo: RepoRow, { oid }: FileEntry): Promise<Content | null> {
  const facts = (await blobFacts(ctx, repo.id, [oid])).get(oid)
  if (facts === undefined) return null
  if (facts.lfs === null) return openGitBlob(ctx, repo.id, oid, facts.sizeBytes)
  const stored = (await ctx.catalog.rows.blobs.contentOf(repo.id, [facts.lfs.oid])).get(facts.lfs.oid)
  if (stored === undefined) return null
  return openStored(ctx, repo, stored)
}

/** Copies, because the store uses its buffers again. */
async function readStart(content: Content, start: number, sizeBytes: number): Promise<Uint8Array> {
  const size = Math.min(sizeBytes, content.sizeBytes - start)
  if (size <= 0) return new Uint8Array()
  const bytes = new Uint8Array(size)
  let at = 0
  for await (const chunk of await content.open({ start, end: start + size - 1 })) {
    bytes.set(chunk.subarray(0, size - at), at)
    at += chunk.length
    if (at >= size) break
  }
  return bytes.subarray(0, Math.min(at, size))
}

/** A JSON object of a small file that may lie in git or in LFS; null for anything else. */
export async function readJsonFile(
  ctx: OpsContext,
  repo: RepoRow,
  file: FileEntry | undefined,
): Promise<Record<string, unknown> | null> {
  if (file === undefined) return null
  const facts = (await blobFacts(ctx, repo.id, [file.oid])).get(file.oid)
  if (facts === undefined || facts.lfs !== null || facts.sizeBytes > MODEL_JSON_MAX_BYTES) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readBlob(ctx, repo.id, file.oid))
    const value: unknown = JSON.parse(text)
    if (depthOfJson(text) > MODEL_JSON_DEPTH_MAX) return null
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    // Whatever it is, it is no configuration; missing blobs show when the file itself is asked for.
    return null
  }
}
