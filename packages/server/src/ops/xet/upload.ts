/** Xorbs and shards on their way in: xet.md §6.2 and §6.3. */
import { setImmediate as pause } from 'node:timers/promises'

import { HubError } from '@cairn/protocol/errors'
import { parseXetHash, type XetHash } from '@cairn/protocol/xet/hash'
import { parseShard, type Shard } from '@cairn/protocol/xet/shard'
import {
  dedupCandidates,
  ShardRefusedError,
  verifyShard,
  type VerifiedFile,
} from '@cairn/protocol/xet/shard-check'
import { TERM_BYTES } from '@cairn/protocol/xet/terms'

import { SHARD_ROWS_PER_TRANSACTION, TOUCH_INTERVAL_MS, XET_PROVEN_AT_ONCE_MAX_BYTES } from '../../limits.ts'
import type { Staged } from '../../store/blobs/blob-store.ts'
import { XorbMissingError, type LinkedXetFile, type RepoRow } from '../../store/catalog/catalog.ts'
import { shardKey, xorbKey } from '../../store/keys.ts'
import { verifyXorb, type VerifiedXorb } from '../../workers/xorb-verify.ts'
import { assertLiving } from '../access.ts'
import { newId, type OpsContext } from '../context.ts'
import { renewLinks } from '../leases.ts'
import { roomFor } from '../quotas.ts'
import { findTable } from './tables.ts'
import { computeSha256, verifySha256 } from './verify-sha256.ts'

/**
 * False when the repository's domain has the xorb already. Then the body need not be looked at, unless who sends it
 * must not learn that from the hash alone.
 */
export async function receiveXorb(
  ctx: OpsContext,
  repo: RepoRow,
  hashText: string,
  body: AsyncIterable<Uint8Array>,
  options: { mayKnow: boolean } = { mayKnow: true },
): Promise<{ inserted: boolean }> {
  const hash = hashOf(hashText)
  const { domainId } = repo
  if (options.mayKnow && (await holdXorb(ctx, domainId, hash))) {
    for await (const _ of body);
    return { inserted: false }
  }
  await ctx.pendingUploads.assert(ctx, repo)
  await using staged = await ctx.blobs.stage('unhashed')
  const verified = await verifyXorb(ctx.xorbs, body, hash, (bytes) => staged.append(bytes))
  // Awaited here: leaving the block ends the staged write.
  const inserted = await storeXorb(ctx, domainId, hash, verified, staged)
  if (inserted) {
    ctx.pendingUploads.add(repo.id, verified.rawBytes)
    ctx.traffic.xet.rawBytes += verified.rawBytes
    ctx.traffic.xet.storedBytes += verified.storedBytes
  }
  return { inserted }
}

/** Keeps bytes that were found to be this xorb. False when the domain has it already. */
export async function storeXorb(
  ctx: OpsContext,
  domainId: string,
  hash: XetHash,
  verified: VerifiedXorb,
  staged: Staged,
): Promise<boolean> {
  // Two honest uploads of one xorb may be compressed differently, and the row's offsets must be those of the stored
  // copy. So one at a time, a sweep included, and bytes without a row (left by a crash) give way to those that were
  // just verified.
  const key = xorbKey(domainId, hash)
  return ctx.repoQueue.run(key, async () => {
    if (await holdXorb(ctx, domainId, hash)) return false
    await ctx.blobs.delete(key)
    await staged.commit(key)
    const at = ctx.clock()
    return ctx.catalog.tx((rows) =>
      rows.xet.insertXorb({ domainId, hash, ...verified, storedAt: at, touchedAt: at }),
    )
  })
}

/** Whether the domain has it. That is not enough: who asks is about to rely on it. */
async function holdXorb(ctx: OpsContext, domainId: string, hash: XetHash): Promise<boolean> {
  const at = ctx.clock()
  const row = (await ctx.catalog.rows.xet.getXorbs(domainId, [hash])).get(hash)
  if (row === undefined || row.touchedAt > at - TOUCH_INTERVAL_MS) return row !== undefined
  return ctx.catalog.tx((rows) => rows.xet.touchXorb(domainId, hash, at))
}

/**
 * Registers the files of a shard for the repository. False when all of them were known. What is new is kept as it came
 * before a row speaks of it: shards and xorbs alone say what the tables of files and chunks do.
 */
export async function receiveShard(
  ctx: OpsContext,
  repo: RepoRow,
  bytes: Uint8Array,
  /** The sha256 of files that the hub itself has read among what the repository has. */
  computed: ReadonlyMap<string, string> = new Map(),
): Promise<{ registered: boolean }> {
  const shard = parseShard(bytes)
  const files = await verified(ctx, repo, shard)
  await renewLinks(
    ctx,
    repo.id,
    'xet',
    files.map(({ file }) => file.hash),
  )
  const news = await judgeClaims(ctx, repo, files, computed)
  if (news.length === 0) return { registered: false }
  const room = await roomFor(ctx, repo)
  const newBytes = bytesNewTo(news)
  await room.assert(ctx.catalog.rows, newBytes)
  const id = newId(ctx)
  await using staged = await ctx.blobs.stage()
  await staged.append(bytes)
  const keep = (): Promise<void> => staged.commit(shardKey({ domainId: repo.domainId, repoId: repo.id, id }))
  try {
    await register(ctx, repo, { id, shard, files, news, keep, room })
  } catch (error) {
    // It was there when the shard was verified.
    if (error instanceof XorbMissingError) throw new HubError('BadRequest', error.message, { cause: error })
    throw error
  }
  ctx.pendingUploads.settle(repo.id, newBytes)
  ctx.traffic.xet.registeredBytes += newBytes
  return { registered: true }
}

/** Makes the rows of a shard that was kept, as when they are lost. What it claims is to be proven anew. */
export async function registerStoredShard(
  ctx: OpsContext,
  repo: RepoRow,
  id: string,
  bytes: Uint8Array,
): Promise<void> {
  const shard = parseShard(bytes)
  const files = await verified(ctx, repo, shard)
  const news = files.map((file) => ({ ...file, sha256: null, isPresent: false }))
  await register(ctx, repo, { id, shard, files, news, keep: async () => undefined, room: null })
}

interface Registration {
  id: string
  shard: Shard
  files: readonly VerifiedFile[]
  news: readonly JudgedFile[]
  /** Makes the shard's own bytes durable. */
  keep: () => Promise<void>
  /** Null: what was accepted before needs no leave. */
  room: Awaited<ReturnType<typeof roomFor>> | null
}

async function register(
  ctx: OpsContext,
  repo: RepoRow,
  { id, shard, files, news, keep, room }: Registration,
): Promise<void> {
  const { domainId } = repo
  const xorbHashes = [
    ...new Set([...shard.xorbs.map(({ hash }) => hash), ...files.flatMap(({ xorbs }) => xorbs)]),
  ]
  const chunks = dedupCandidates(shard, files)
  const createdAt = ctx.clock()
  await ctx.repoQueue.run(shardKey({ domainId, repoId: repo.id, id }), async () => {
    await keep()
    await ctx.catalog.tx(async (rows) => {
      await assertLiving(rows, repo)
      await rows.xet.insertShard({ id, domainId, repoId: repo.id, createdAt, xorbHashes, chunks })
    })
  })
  for (const batch of batches(news))
    await ctx.catalog.tx(async (rows, emit) => {
      await assertLiving(rows, repo)
      await room?.assert(rows, bytesNewTo(batch))
      for (const { file, terms, sizeBytes, xorbs, sha256 } of batch) {
        const row: LinkedXetFile = {
          domainId,
          hash: file.hash,
          sizeBytes,
          termCount: terms.length / TERM_BYTES,
          terms,
          sha256,
          claimedSha256: file.sha256,
          createdAt,
        }
        await rows.xet.insertFile(repo.id, row, xorbs)
        if (file.sha256 !== null && sha256 === null)
          emit({ type: 'xet.file-registered', repoId: repo.id, domainId, hash: file.hash })
      }
    })
}

async function verified(ctx: OpsContext, { domainId }: RepoRow, shard: Shard): Promise<VerifiedFile[]> {
  try {
    return await verifyShard(
      ctx.primitives,
      shard,
      (xorb) => findTable(ctx, domainId, xorb),
      () => pause(),
    )
  } catch (error) {
    if (error instanceof ShardRefusedError) throw new HubError('BadRequest', error.message, { cause: error })
    throw error
  }
}

/** A file with the sha256 that the hub has computed, or null. */
interface JudgedFile extends VerifiedFile {
  sha256: string | null
  /** The repository has its bytes already, and what is new is its sha256, or that it is a Xet file. */
  isPresent: boolean
}

/**
 * Those files of which something is new to the repository. Small ones are proven here, and so are those that the
 * repository knows by another name: one of two claims is false, and whoever came first must not keep the right one
 * out until a job finds the time. BadRequest for a claim that is false.
 */
async function judgeClaims(
  ctx: OpsContext,
  { id: repoId, domainId }: RepoRow,
  files: readonly VerifiedFile[],
  computed: ReadonlyMap<string, string>,
): Promise<JudgedFile[]> {
  const hashes = files.map(({ file }) => file.hash)
  const known = await ctx.catalog.rows.xet.knownFiles(repoId, hashes)
  const news: JudgedFile[] = []
  let leftBytes = XET_PROVEN_AT_ONCE_MAX_BYTES
  for (const one of files) {
    const { file, sizeBytes, terms } = one
    const before = known.get(file.hash)
    const called = before?.claimedSha256 ?? null
    const isKnown = before?.isLinked === true && (called !== null || file.sha256 === null)
    let sha256 = before?.sha256 ?? computed.get(file.hash) ?? null
    if (file.sha256 !== null && sha256 === null) {
      const isContested = called !== null && called !== file.sha256
      if (isContested) sha256 = await verifySha256(ctx, { domainId, hash: file.hash })
      else if (!isKnown && sizeBytes <= leftBytes) {
        leftBytes -= sizeBytes
        sha256 = await computeSha256(ctx, { domainId, terms })
      }
    }
    if (file.sha256 !== null && sha256 !== null && sha256 !== file.sha256)
      throw new HubError('BadRequest', `File ${file.hash} has the sha256 ${sha256}, not ${file.sha256}`)
    if (!isKnown || sha256 !== (before?.sha256 ?? null))
      news.push({ ...one, sha256, isPresent: before?.isLinked === true || computed.has(file.hash) })
  }
  return news
}

/** What these add to what the repository has. */
function bytesNewTo(files: readonly JudgedFile[]): number {
  return files.reduce((sum, { isPresent, sizeBytes }) => sum + (isPresent ? 0 : sizeBytes), 0)
}

/** Throws BadRequest unless it is 64 hex digits. */
export function hashOf(text: string): XetHash {
  try {
    return parseXetHash(text)
  } catch (cause) {
    throw new HubError('BadRequest', 'A Xet hash has 64 hex digits in lower case', { cause })
  }
}

/** A file makes one row for itself, one for its link and one for each xorb. */
function* batches(files: readonly JudgedFile[]): Generator<JudgedFile[]> {
  let batch: JudgedFile[] = []
  let rowCount = 0
  for (const file of files) {
    batch.push(file)
    rowCount += 2 + file.xorbs.length
    if (rowCount < SHARD_ROWS_PER_TRANSACTION) continue
    yield batch
    batch = []
    rowCount = 0
  }
  if (batch.length > 0) yield batch
}
