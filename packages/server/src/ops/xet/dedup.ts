/** «Do you know this chunk?»: answered from the repository's own domain, under a key (xet.md §8). */
import { HubError } from '@cairn/protocol/errors'
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { formatDedupReply, type DedupXorb } from '@cairn/protocol/xet/dedup-reply'
import type { XetHash } from '@cairn/protocol/xet/hash'

import { DEDUP_EPOCH_MS, DEDUP_REPLY_XORBS_MAX } from '../../limits.ts'
import { newId, type OpsContext } from '../context.ts'
import { seesDomain, type CasGrant } from './grants.ts'
import { hashOf } from './upload.ts'

/**
 * A shard that lists the chunk's xorb, all others of the upload that it came from, and those of what came to the same
 * paths later: who changes an old version finds what the newest has, too. NotFound when the chunk is not known.
 */
export async function findChunk(ctx: OpsContext, grant: CasGrant, hashText: string): Promise<Uint8Array> {
  const { repo } = grant
  const { xet } = ctx.catalog.rows
  const uploadedTo = (await seesDomain(ctx, grant)) ? null : repo.id
  const shard = await xet.findShardByChunk(repo.domainId, hashOf(hashText), uploadedTo)
  const own = shard?.xorbHashes[0]
  if (shard === null || own === undefined) throw unknownChunk()
  const later = await xet.xorbsOfLaterVersions(shard.repoId, repo.domainId, own, DEDUP_REPLY_XORBS_MAX)
  const hashes = [...new Set([...shard.xorbHashes, ...later])].slice(0, DEDUP_REPLY_XORBS_MAX)
  const xorbs = await advertised(ctx, repo.domainId, hashes)
  if (xorbs[0]?.hash !== own) throw unknownChunk()
  const epoch = await epochNow(ctx)
  return formatDedupReply(ctx.primitives, xorbs, {
    key: epoch.key,
    createdAtSeconds: Math.floor((epoch.endsAt - DEDUP_EPOCH_MS) / 1000),
    expiresAtSeconds: Math.floor(epoch.endsAt / 1000),
  })
}

/** Those that clients may build upon, in the order given. They remember it for weeks: what is to go is not named. */
async function advertised(
  ctx: OpsContext,
  domainId: string,
  hashes: readonly string[],
): Promise<DedupXorb[]> {
  const rows = await ctx.catalog.rows.xet.getXorbs(domainId, hashes)
  return hashes.flatMap((hash) => {
    const row = rows.get(hash)
    return row === undefined ? [] : [{ hash: hash as XetHash, chunks: decodeChunkTable(row.chunks) }]
  })
}

function unknownChunk(): HubError {
  return new HubError('NotFound', 'This chunk is not known')
}

async function epochNow(ctx: OpsContext): Promise<{ key: Uint8Array; endsAt: number }> {
  const now = ctx.clock()
  const current = await ctx.catalog.rows.xet.currentEpoch(now)
  if (current !== null) return current
  return ctx.catalog.tx(async (rows) => {
    const made = await rows.xet.currentEpoch(now)
    if (made !== null) return made
    const epoch = { id: newId(ctx), key: ctx.random(32), endsAt: now + DEDUP_EPOCH_MS }
    await rows.xet.insertEpoch(epoch)
    return epoch
  })
}
