/**
 * From how a file is stored to its bytes. Hashing costs as much as sending, so a blob that was found sound is believed
 * for a while: rot is noticed within `DOWNLOAD_CHECK_MS`, not at each download.
 */
import { DOWNLOAD_CHECK_MS } from '../limits.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { lfsKey } from '../store/keys.ts'
import { checked, type Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { openXetFile } from './xet/bridge.ts'

export function openStored(ctx: OpsContext, repo: RepoRow, stored: StoredContent): Content {
  if (stored.kind === 'xet') return openXetFile(ctx, repo, stored)
  const key = lfsKey(stored.domainId, stored.oid)
  return {
    sizeBytes: stored.sizeBytes,
    open: async (range) => {
      const bytes = await ctx.blobs.read(key, range)
      const { checkedAt } = ctx.caches
      const isRecent = ctx.clock() - (checkedAt.get(key) ?? -Infinity) < DOWNLOAD_CHECK_MS
      if (range !== undefined || isRecent) return bytes
      return checked(bytes, stored, () => checkedAt.set(key, ctx.clock()))
    },
  }
}
