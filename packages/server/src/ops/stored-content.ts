/**
 * From how a file is stored to its bytes. sha256 costs more than sending, so it is computed in the first whole pass over
 * a blob; later passes are compared with the fingerprint of that one, which finds what disks and memory do to bytes.
 */
import { HubError } from '@cairn/protocol/errors'

import { BlobNotFoundError, type BlobKey, type ByteRange } from '../store/blobs/blob-store.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { lfsKey } from '../store/keys.ts'
import { checked, sha256Check, type Check, type Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { createFingerprint } from './fingerprint.ts'
import { openXetFile } from './xet/bridge.ts'

export function openStored(ctx: OpsContext, repo: RepoRow, stored: StoredContent): Content {
  if (stored.kind === 'xet') return openXetFile(ctx, repo, stored)
  const key = lfsKey(stored.domainId, stored.oid)
  return {
    sizeBytes: stored.sizeBytes,
    open: async (range) => {
      const bytes = await readOrNull(ctx, key, range)
      if (bytes === null) return (await openReplacement(ctx, repo, stored.oid)).open(range)
      if (range !== undefined) return bytes
      return checked(bytes, stored, fingerprintCheck(ctx.caches.fingerprints, key, stored.oid))
    },
  }
}

async function readOrNull(
  ctx: OpsContext,
  key: BlobKey,
  range: ByteRange | undefined,
): Promise<AsyncIterable<Uint8Array> | null> {
  try {
    return await ctx.blobs.read(key, range)
  } catch (error) {
    if (error instanceof BlobNotFoundError) return null
    throw error
  }
}

/** A Xet file may have taken the object's place after it was looked up. */
async function openReplacement(ctx: OpsContext, repo: RepoRow, oid: string): Promise<Content> {
  const stored = (await ctx.catalog.rows.blobs.contentOf(repo.id, [oid])).get(oid)
  if (stored?.kind === 'xet') return openXetFile(ctx, repo, stored)
  throw new HubError('Internal', `The stored bytes of ${oid} are gone`)
}

/** `known`: fingerprints of the contents that were found sound. */
function fingerprintCheck(
  known: { get(key: string): string | undefined; set(key: string, fingerprint: string): unknown },
  key: string,
  oid: string,
): Check {
  const expected = known.get(key)
  const first = expected === undefined ? sha256Check(oid) : null
  const fingerprint = createFingerprint()
  return {
    update(bytes) {
      fingerprint.update(bytes)
      first?.update(bytes)
    },
    isSound() {
      const found = fingerprint.digest()
      if (first === null) return found === expected
      const isSound = first.isSound()
      if (isSound) known.set(key, found)
      return isSound
    },
  }
}
