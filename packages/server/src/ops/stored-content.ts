/** From how a file is stored to its bytes. */
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { lfsKey } from '../store/keys.ts'
import { checked, type Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { openXetFile } from './xet/bridge.ts'

export async function openStored(ctx: OpsContext, repo: RepoRow, stored: StoredContent): Promise<Content> {
  if (stored.kind === 'xet') return openXetFile(ctx, repo, stored)
  const key = lfsKey(stored.domainId, stored.oid)
  return {
    sizeBytes: stored.sizeBytes,
    open: async (range) => {
      const bytes = await ctx.blobs.read(key, range)
      return range === undefined ? checked(bytes, stored) : bytes
    },
  }
}
