/** Stored xorbs that may hold chunks of a file: those of other versions of its path, and those that share a chunk with it. */
import type { PackedXorb } from '@cairn/protocol/xet/file-packer'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { decodeTerms } from '@cairn/protocol/xet/terms'

import { DEDUP_REPLY_XORBS_MAX, SIMILAR_VERSIONS_MAX, SIMILAR_XORBS_MAX } from '../../limits.ts'
import type { LinkedXetFile, RepoRow } from '../../store/catalog/catalog.ts'
import type { OpsContext } from '../context.ts'
import { historyPointers } from '../history-pointers.ts'

/** The newest versions first. */
export async function knownVersions(
  ctx: OpsContext,
  domainId: string,
  repos: readonly RepoRow[],
  oid: string,
): Promise<PackedXorb[]> {
  const versions: LinkedXetFile[] = []
  for (const repo of repos.slice(0, SIMILAR_VERSIONS_MAX)) {
    const { places } = await historyPointers(ctx, repo)
    const path = places.get(oid)?.path
    if (path === undefined) continue
    const others = [...places].flatMap(([other, place]) =>
      place.path === path && other !== oid ? [other] : [],
    )
    const contents = await ctx.catalog.rows.blobs.contentOf(
      repo.id,
      others.slice(0, 10 * SIMILAR_VERSIONS_MAX),
    )
    for (const stored of contents.values()) {
      if (stored.kind !== 'xet' || stored.domainId !== domainId) continue
      const file = await ctx.catalog.rows.xet.getFile(repo.id, stored.xetHash)
      if (file !== null) versions.push(file)
    }
  }
  versions.sort((one, other) => other.createdAt - one.createdAt)
  const xorbs = new Set<string>()
  for (const { terms } of versions.slice(0, SIMILAR_VERSIONS_MAX))
    for (const { xorb } of decodeTerms(terms)) xorbs.add(xorb)
  return tables(ctx, domainId, [...xorbs].slice(0, SIMILAR_XORBS_MAX))
}

/** Finds them by a chunk as a client would, without a key; each xorb is told once. */
export function findSimilar(
  ctx: OpsContext,
  domainId: string,
): (chunks: readonly XetHash[]) => Promise<PackedXorb[]> {
  const told = new Set<string>()
  return async (chunks) => {
    const found: string[] = []
    for (const chunk of chunks) {
      const shard = await ctx.catalog.rows.xet.findShardByChunk(domainId, chunk, null)
      for (const xorb of shard?.xorbHashes.slice(0, DEDUP_REPLY_XORBS_MAX) ?? [])
        if (!told.has(xorb) && told.size < SIMILAR_XORBS_MAX) {
          told.add(xorb)
          found.push(xorb)
        }
    }
    return tables(ctx, domainId, found)
  }
}

async function tables(ctx: OpsContext, domainId: string, hashes: readonly string[]): Promise<PackedXorb[]> {
  const rows = await ctx.catalog.rows.xet.getXorbs(domainId, hashes)
  return hashes.flatMap((hash) => {
    const row = rows.get(hash)
    return row === undefined ? [] : [{ hash: hash as XetHash, chunks: row.chunks }]
  })
}
