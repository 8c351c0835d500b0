/**
 * Blobs that do not hold what they should: who needs them, what is remembered of them, and how they are given up so
 * that the same content can be uploaded again.
 */
import { formatRepoId } from '@cairn/protocol/repo-id'

import { DAMAGE_USERS_SHOWN_MAX } from '../limits.ts'
import type { BlobKey } from '../store/blobs/blob-store.ts'
import { parseKey } from '../store/keys.ts'
import type { OpsContext } from './context.ts'
import { historyPointers } from './history-pointers.ts'
import { DamagedBlobError, readSound } from './sound-blob.ts'
import type { Finding } from './work-step.ts'

/** What is wrong with a blob's bytes, from reading all of them; null: nothing. */
export async function faultOfBlob(
  ctx: OpsContext,
  key: BlobKey,
  pace?: (bytes: Uint8Array) => Promise<void>,
): Promise<string | null> {
  try {
    await readSound(ctx, key, pace)
    return null
  } catch (error) {
    if (error instanceof DamagedBlobError) return error.message
    throw error
  }
}

/** Remembers it until it is mended, and offers none of its chunks any more. Returns what to tell the operator. */
export async function noteDamage(ctx: OpsContext, key: BlobKey, fault: string): Promise<Finding> {
  const users = await usersOf(ctx, key)
  ctx.log.error({ key, users }, `stored bytes are damaged: ${fault}`)
  await ctx.catalog.tx(async (rows) => {
    await rows.damage.note({ key, problem: fault, foundAt: ctx.clock() })
    const { kind, ...place } = parseKey(key)!
    if (kind === 'xorbs') await rows.damage.forgetChunks(place)
  })
  return damageFinding(key, fault, users)
}

export async function damageOf(ctx: OpsContext, key: BlobKey, fault: string): Promise<Finding> {
  return damageFinding(key, fault, await usersOf(ctx, key))
}

/**
 * Gives up a blob that is missing or damaged: its rows go with the rights to what needs it, so that clients are asked
 * for it again, and then its bytes. False while nothing may be removed.
 */
export async function giveUp(ctx: OpsContext, key: BlobKey): Promise<boolean> {
  const { kind, ...place } = parseKey(key)!
  return ctx.repoQueue.run(key, () =>
    ctx.removals.remove(async () => {
      await ctx.catalog.tx(async (rows) => {
        if (kind !== 'shards') await rows.damage.drop(kind, place)
        await rows.damage.clear(key)
      })
      ctx.caches.chunkTables.delete(`${place.domainId}/${place.name}`)
      ctx.caches.fingerprints.delete(key)
      await ctx.blobs.delete(key)
    }),
  )
}

function damageFinding(key: BlobKey, fault: string, users: readonly string[]): Finding {
  const needed = users.length === 0 ? 'nothing needs it' : `needed by ${users.join(', ')}`
  return { subject: key, message: `${fault}; ${needed}`, state: 'problem' }
}

/** Repositories, with the paths at which they have files that need the blob. */
async function usersOf(ctx: OpsContext, key: BlobKey): Promise<string[]> {
  const { kind, ...place } = parseKey(key)!
  if (kind === 'shards') return []
  const users = await ctx.catalog.rows.inventory.usersOf(kind, place, DAMAGE_USERS_SHOWN_MAX + 1)
  const shown = await Promise.all(
    users.slice(0, DAMAGE_USERS_SHOWN_MAX).map(({ repoId, oid }) => nameOf(ctx, repoId, oid)),
  )
  return users.length > DAMAGE_USERS_SHOWN_MAX ? [...shown, 'and more'] : shown
}

async function nameOf(ctx: OpsContext, repoId: string, oid: string): Promise<string> {
  const repo = await ctx.catalog.rows.repos.get(repoId)
  if (repo === null) return `${repoId}: ${oid}`
  const id = `${repo.type} ${formatRepoId(repo)}`
  try {
    return `${id}: ${(await historyPointers(ctx, repo)).places.get(oid)?.path ?? oid}`
  } catch {
    // Its history cannot be read either, which another check says.
    return `${id}: ${oid}`
  }
}
