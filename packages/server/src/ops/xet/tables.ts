/** Chunk tables of stored xorbs, decoded and cached. A xorb never changes once it is stored. */
import { HubError } from '@cairn/protocol/errors'
import { decodeChunkTable, type ChunkTable } from '@cairn/protocol/xet/chunk-table'
import type { XetHash } from '@cairn/protocol/xet/hash'

import type { OpsContext } from '../context.ts'

export async function findTable(
  ctx: OpsContext,
  domainId: string,
  xorb: XetHash,
): Promise<ChunkTable | null> {
  const key = `${domainId}/${xorb}`
  const cached = ctx.caches.chunkTables.get(key)
  if (cached !== undefined) return cached
  const row = (await ctx.catalog.rows.xet.getXorbs(domainId, [xorb])).get(xorb)
  if (row === undefined) return null
  const table = decodeChunkTable(row.chunks)
  ctx.caches.chunkTables.set(key, table)
  return table
}

/** A file never names a xorb that is not there; if it does, the catalog is damaged. */
export async function tableOf(ctx: OpsContext, domainId: string, xorb: XetHash): Promise<ChunkTable> {
  const table = await findTable(ctx, domainId, xorb)
  if (table === null) throw new HubError('Internal', `Xorb ${xorb} is gone`)
  return table
}
