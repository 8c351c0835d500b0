/**
 * A shard only claims which sha256 its file has. The claim is good for the repository that makes it and for nobody else,
 * until the hub has decoded and hashed the file itself; then what it computed is true for the whole domain, and links
 * that claim something else are quarantined (xet.md §13.4, docs/adr/0014).
 */
import { createHash } from 'node:crypto'

import type { OpsContext } from '../context.ts'
import { decodeRange } from './bridge.ts'

/** The sha256 of the bytes that a recipe makes. */
export async function computeSha256(
  ctx: OpsContext,
  file: { domainId: string; terms: Uint8Array },
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of decodeRange(ctx, file, file.terms, null)) {
    signal?.throwIfAborted()
    hash.update(bytes)
  }
  return hash.digest('hex')
}

/** Computes the sha256 of a registered file unless that is done already, and makes it count. */
export async function verifySha256(
  ctx: OpsContext,
  file: { repoId: string; hash: string },
  signal: AbortSignal,
): Promise<void> {
  const row = await ctx.catalog.rows.xet.getFile(file.repoId, file.hash)
  if (row === null || row.sha256 !== null) return
  const { domainId, hash } = row
  const sha256 = await computeSha256(ctx, row, signal)
  const refuted = await ctx.catalog.tx((rows) => rows.xet.prove(domainId, hash, sha256))
  for (const claim of refuted)
    ctx.log.warn(claim, 'a Xet file does not have the sha256 it was registered with')
}
