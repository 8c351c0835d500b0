/**
 * A shard only claims which sha256 its file has. Until the file has been decoded and hashed, the claim is good for the
 * repository that made it and for nobody else; a false one takes the file out of use (xet.md §13.4).
 */
import { createHash } from 'node:crypto'

import type { OpsContext } from '../context.ts'
import { decodeRange } from './bridge.ts'

export async function verifySha256(
  ctx: OpsContext,
  file: { repoId: string; domainId: string; hash: string },
): Promise<void> {
  const row = await ctx.catalog.rows.xet.getFile(file.repoId, file.hash)
  if (row === null || row.sha256 === null || row.sha256State !== 'claimed') return
  const hash = createHash('sha256')
  for await (const bytes of decodeRange(ctx, row, row.terms, null)) hash.update(bytes)
  const state = hash.digest('hex') === row.sha256 ? 'verified' : 'mismatch'
  if (state === 'mismatch')
    ctx.log.warn(
      { ...file, claimed: row.sha256 },
      'a Xet file does not have the sha256 it was registered with',
    )
  await ctx.catalog.tx((rows) => rows.xet.setSha256State(row.domainId, file.hash, state))
}
