/**
 * Everything that a catalog's rows name, from one place to another: large contents and the objects of repositories.
 * The same for a backup and for the way back. What is there already is left alone, what is damaged is told and left
 * out, and each copy was compared with its own hash.
 */
import { copyRepository } from '../git/copy-files.ts'
import { COPIES_AT_ONCE, INVENTORY_PAGE } from '../limits.ts'
import type { BlobKey, BlobStore } from '../store/blobs/blob-store.ts'
import type {
  CatalogRows,
  ContentKind,
  ContentPlace,
  ShardPlace,
  StoredBytes,
} from '../store/catalog/catalog.ts'
import { lfsKey, shardKey, xorbKey } from '../store/keys.ts'
import type { XorbPool } from '../workers/xorb-pool.ts'
import { DamagedBlobError, readSound } from './sound-blob.ts'
import type { Finding } from './work-step.ts'

export interface ContentsPlace {
  blobs: BlobStore
  /** The folder of bare repositories. */
  reposPath: string
}

export interface CopyReport {
  findings: Finding[]
  copied: { files: number; sizeBytes: number }
  /** Files in the target that a newer state has replaced. */
  replaced: string[]
}

export interface CopyWatch {
  /** Called often, and may throw to end the copying. */
  onProgress: (what: string, done: number, total: number) => Promise<void>
}

export async function copyContents(
  rows: CatalogRows,
  from: ContentsPlace,
  to: ContentsPlace,
  xorbs: XorbPool,
  { onProgress }: CopyWatch,
): Promise<CopyReport> {
  const report: CopyReport = { findings: [], copied: { files: 0, sizeBytes: 0 }, replaced: [] }
  const totals = await rows.inventory.totals()
  for (const kind of ['lfs', 'xorbs'] as const) {
    let done = 0
    for await (const slice of contentsOf(rows, kind)) {
      await Promise.all(slice.map((content) => copyBlob(kind, content, from.blobs, to.blobs, xorbs, report)))
      done += slice.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      await onProgress(kind === 'lfs' ? 'large files' : 'xorbs', done, totals[kind].sizeBytes)
    }
  }
  for (let after: string | null = null; ;) {
    const shards = await rows.inventory.shards(after, INVENTORY_PAGE)
    for (const shard of shards) await copyShard(shard, from.blobs, to.blobs, xorbs, report)
    after = shards.at(-1)?.id ?? null
    if (shards.length < INVENTORY_PAGE) break
  }
  let done = 0
  for await (const repoId of repoIdsOf(rows)) {
    const copy = await copyRepository(from.reposPath, to.reposPath, repoId)
    report.copied.files += copy.copiedFiles
    report.copied.sizeBytes += copy.copiedBytes
    report.replaced.push(...copy.replaced)
    if (!copy.isThere) report.findings.push(problem(`repository ${repoId}`, 'has no folder'))
    for (const { file, message } of copy.faults)
      report.findings.push(problem(`repository ${repoId}: objects/${file}`, message))
    await onProgress('repositories', ++done, totals.repos)
  }
  return report
}

async function copyBlob(
  kind: ContentKind,
  { domainId, name, sizeBytes }: StoredBytes,
  from: BlobStore,
  to: BlobStore,
  xorbs: XorbPool,
  report: CopyReport,
): Promise<void> {
  const key = kind === 'lfs' ? lfsKey(domainId, name) : xorbKey(domainId, name)
  await copySound(key, sizeBytes, from, to, xorbs, report)
}

/** Only what the index is rebuilt from; a shard that an earlier version took was not kept. */
async function copyShard(
  shard: ShardPlace,
  from: BlobStore,
  to: BlobStore,
  xorbs: XorbPool,
  report: CopyReport,
): Promise<void> {
  const key = shardKey(shard)
  const stat = await from.stat(key)
  if (stat !== null) await copySound(key, stat.sizeBytes, from, to, xorbs, report)
}

/** Leaves alone what is there with that size, and what is damaged where it comes from. */
async function copySound(
  key: BlobKey,
  sizeBytes: number,
  from: BlobStore,
  to: BlobStore,
  xorbs: XorbPool,
  report: CopyReport,
): Promise<void> {
  if ((await to.stat(key))?.sizeBytes === sizeBytes) return
  await using staged = await to.stage()
  try {
    await readSound({ blobs: from, xorbs }, key, (bytes) => staged.append(bytes))
  } catch (error) {
    if (!(error instanceof DamagedBlobError)) throw error
    report.findings.push(problem(key, error.message))
    return
  }
  // What is there has another size: it is not what the key means.
  await to.delete(key)
  await staged.commit(key)
  report.copied.files += 1
  report.copied.sizeBytes += sizeBytes
}

async function* contentsOf(rows: CatalogRows, kind: ContentKind): AsyncGenerator<StoredBytes[]> {
  let after: ContentPlace | null = null
  for (;;) {
    const page: StoredBytes[] = await rows.inventory.contents(kind, after, INVENTORY_PAGE)
    for (let at = 0; at < page.length; at += COPIES_AT_ONCE) yield page.slice(at, at + COPIES_AT_ONCE)
    after = page.at(-1) ?? null
    if (page.length < INVENTORY_PAGE) return
  }
}

async function* repoIdsOf(rows: CatalogRows): AsyncGenerator<string> {
  let after: string | null = null
  for (;;) {
    const page: string[] = await rows.inventory.repoIds(after, INVENTORY_PAGE)
    yield* page
    after = page.at(-1) ?? null
    if (page.length < INVENTORY_PAGE) return
  }
}

function problem(subject: string, message: string): Finding {
  return { subject, message, state: 'problem' }
}
