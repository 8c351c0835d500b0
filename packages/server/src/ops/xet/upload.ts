/** Xorbs and shards on their way in: xet.md §6.2 and §6.3. */
import { setImmediate as pause } from 'node:timers/promises'

import { HubError } from '@cairn/protocol/errors'
import { parseXetHash, type XetHash } from '@cairn/protocol/xet/hash'
import { parseShard } from '@cairn/protocol/xet/shard'
import {
  dedupCandidates,
  ShardRefusedError,
  verifyShard,
  type VerifiedFile,
} from '@cairn/protocol/xet/shard-check'
import { TERM_BYTES } from '@cairn/protocol/xet/terms'

import { SHARD_ROWS_PER_TRANSACTION } from '../../limits.ts'
import type { RepoRow, XetFileRow } from '../../store/catalog/catalog.ts'
import { xorbKey } from '../../store/keys.ts'
import { verifyXorb } from '../../workers/xorb-verify.ts'
import { assertLiving } from '../access.ts'
import { newId, type OpsContext } from '../context.ts'
import { findTable } from './tables.ts'
import { verifySha256 } from './verify-sha256.ts'

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
  const present = async (): Promise<boolean> =>
    (await ctx.catalog.rows.xet.getXorbs(domainId, [hash])).has(hash)
  if (options.mayKnow && (await present())) {
    for await (const _ of body);
    return { inserted: false }
  }
  await using staged = await ctx.blobs.stage('unhashed')
  const verified = await verifyXorb(ctx.xorbs, body, hash, (bytes) => staged.append(bytes))
  // Two honest uploads of one xorb may be compressed differently, and the row's offsets must be those of the stored
  // copy. So one at a time, and bytes without a row (left by a crash) give way to those that were just verified.
  // Awaited here: leaving the block ends the staged write.
  return await ctx.repoQueue.run(`xorb/${domainId}/${hash}`, async () => {
    if (await present()) return { inserted: false }
    const key = xorbKey(domainId, hash)
    await ctx.blobs.delete(key)
    await staged.commit(key)
    const at = ctx.clock()
    const inserted = await ctx.catalog.tx((rows) =>
      rows.xet.insertXorb({ domainId, hash, ...verified, storedAt: at, touchedAt: at }),
    )
    return { inserted }
  })
}

/** Registers the files of a shard for the repository. False when all of them were known. */
export async function receiveShard(
  ctx: OpsContext,
  repo: RepoRow,
  bytes: Uint8Array,
): Promise<{ registered: boolean }> {
  const { domainId } = repo
  const shard = parseShard(bytes)
  let files: VerifiedFile[]
  try {
    files = await verifyShard(
      ctx.primitives,
      shard,
      (xorb) => findTable(ctx, domainId, xorb),
      () => pause(),
    )
  } catch (error) {
    if (error instanceof ShardRefusedError) throw new HubError('BadRequest', error.message, { cause: error })
    throw error
  }
  let registered = false
  const contested: VerifiedFile[] = []
  const register = (batch: readonly VerifiedFile[], onContest: (file: VerifiedFile) => void) =>
    ctx.catalog.tx(async (rows, emit) => {
      await assertLiving(rows, repo)
      for (const verified of batch) {
        const { file, terms, sizeBytes, xorbs } = verified
        const row: XetFileRow = {
          domainId,
          hash: file.hash,
          sizeBytes,
          termCount: terms.length / TERM_BYTES,
          terms,
          sha256: file.sha256,
          sha256State: 'claimed',
          createdAt: ctx.clock(),
        }
        if (await rows.xet.insertFile(repo.id, row, xorbs)) registered = true
        if (file.sha256 === null) continue
        const stored = await rows.xet.getFile(repo.id, file.hash)
        if (stored?.sha256State !== 'claimed') continue
        // Also for a file that was known: its claim may be a new one.
        emit({ type: 'xet.file-registered', repoId: repo.id, domainId, hash: file.hash })
        if (stored.sha256 !== file.sha256) onContest(verified)
      }
    })
  for (const batch of batches(files)) await register(batch, (file) => contested.push(file))
  // One of two claims is false. Whoever came first must not keep the right one out until a job finds the time.
  for (const one of contested) {
    await verifySha256(ctx, { repoId: repo.id, domainId, hash: one.file.hash })
    await register([one], () => undefined)
  }
  const xorbHashes = [
    ...new Set([...shard.xorbs.map(({ hash }) => hash), ...files.flatMap(({ xorbs }) => xorbs)]),
  ]
  const chunks = dedupCandidates(shard, files)
  if (registered && chunks.length > 0)
    await ctx.catalog.tx(async (rows) => {
      await assertLiving(rows, repo)
      await rows.xet.insertShard({
        id: newId(ctx),
        domainId,
        repoId: repo.id,
        createdAt: ctx.clock(),
        xorbHashes,
        chunks,
      })
    })
  return { registered }
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
function* batches(files: readonly VerifiedFile[]): Generator<VerifiedFile[]> {
  let batch: VerifiedFile[] = []
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
