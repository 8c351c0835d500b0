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

/**
 * The sha256 of a registered file, computed unless that is done already, and made to count. Null when the file is gone.
 * Whoever asks meanwhile waits for the same pass: asking is cheap, and the file may have any size.
 */
export async function verifySha256(
  ctx: OpsContext,
  { domainId, hash }: { domainId: string; hash: string },
  signal?: AbortSignal,
): Promise<string | null> {
  return ctx.repoQueue.run(`sha256 of ${domainId}/${hash}`, async () => {
    const recipe = await ctx.catalog.rows.xet.getRecipe(domainId, hash)
    if (recipe === null || recipe.sha256 !== null) return recipe?.sha256 ?? null
    const sha256 = await computeSha256(ctx, { domainId, terms: recipe.terms }, signal)
    const refuted = await ctx.catalog.tx((rows) => rows.xet.prove(domainId, hash, sha256))
    for (const claim of refuted)
      ctx.log.warn(claim, 'a Xet file does not have the sha256 it was registered with')
    return sha256
  })
}
