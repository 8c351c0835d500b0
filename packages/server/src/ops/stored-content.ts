/**
 * From how a file is stored to its bytes. sha256 costs more than sending, so it is computed in the first whole pass over
 * a blob; later passes are compared with the CRC-32 of that one, which finds what disks and memory do to bytes.
 */
import { crc32 } from 'node:zlib'

import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { lfsKey } from '../store/keys.ts'
import { checked, sha256Check, type Check, type Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { openXetFile } from './xet/bridge.ts'

export function openStored(ctx: OpsContext, repo: RepoRow, stored: StoredContent): Content {
  if (stored.kind === 'xet') return openXetFile(ctx, repo, stored)
  const key = lfsKey(stored.domainId, stored.oid)
  return {
    sizeBytes: stored.sizeBytes,
    open: async (range) => {
      const bytes = await ctx.blobs.read(key, range)
      return range === undefined ? checked(bytes, stored, crcCheck(ctx.caches.crcs, key, stored.oid)) : bytes
    },
  }
}

/** `known`: CRC-32 of the contents that were found sound. */
function crcCheck(
  known: { get(key: string): number | undefined; set(key: string, crc: number): unknown },
  key: string,
  oid: string,
): Check {
  const expected = known.get(key)
  const first = expected === undefined ? sha256Check(oid) : null
  let crc = 0
  return {
    update(bytes) {
      crc = crc32(bytes, crc)
      first?.update(bytes)
    },
    isSound() {
      if (first === null) return crc === expected
      const isSound = first.isSound()
      if (isSound) known.set(key, crc)
      return isSound
    },
  }
}
