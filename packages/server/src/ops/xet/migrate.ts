import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import type { PackedXorb } from '@cairn/protocol/xet/file-packer'
/**
 * LFS objects become Xet files: packed like what hf_xet uploads, registered like it, and put in the object's place for
 * every repository that has it, in one transaction. Until then nobody sees a difference; a crash before it leaves
 * xorbs that the next attempt finds. The object itself is kept for a grace and goes only when the file was read back
 * whole (docs/adr/0015).
 */
import { encodeShardChunks, formatShard, type ShardXorb } from '@cairn/protocol/xet/shard'

import { MIGRATION_RETRY_MAX_MS, MIGRATION_RETRY_MS, MIGRATION_SHARD_XORBS_MAX } from '../../limits.ts'
import type { Staged } from '../../store/blobs/blob-store.ts'
import type { LfsMigrationRow, LfsObjectName, RepoRow } from '../../store/catalog/catalog.ts'
import { lfsKey } from '../../store/keys.ts'
import type { HashedFile } from '../../workers/xet-pack-worker.ts'
import { XetPacker } from '../../workers/xet-packer.ts'
import type { VerifiedXorb } from '../../workers/xorb-verify.ts'
import type { OpsContext } from '../context.ts'
import { findSimilar, knownVersions } from './similar.ts'
import { receiveShard, storeXorb } from './upload.ts'
import { computeSha256 } from './verify-sha256.ts'

/** One object at a time, whoever asks: two would pack the same one, and together take more than the lowest priority. */
const QUEUE = 'lfs migration'

/** `idle`: there was nothing to do, or nothing that could be done now. */
export type MigrationStep = 'replaced' | 'removed' | 'idle'

/**
 * Gives the repositories that have the object a Xet file in its place. `pause` is awaited after each piece and may
 * throw. Throws when the attempt failed; it is put off then.
 */
export async function replaceObject(
  ctx: OpsContext,
  object: LfsObjectName,
  pause: () => Promise<void>,
): Promise<MigrationStep> {
  return attempt(ctx, object, async ({ replacedAt }) => {
    const repos = replacedAt === null ? await reposWith(ctx, object) : []
    // Nobody has it, or only who is deleted and may come back.
    if (repos.length === 0) return 'idle'
    const { lfsMigrations } = ctx.catalog.rows
    const hash = (await lfsMigrations.provenFile(object)) ?? (await packObject(ctx, object, repos, pause))
    await ctx.catalog.tx((rows) => rows.lfsMigrations.replace(object, hash, ctx.clock()))
    return 'replaced'
  })
}

/** Removes a replaced object, rows and bytes, once the file in its place was read and has its sha256. */
export async function removeOriginal(ctx: OpsContext, object: LfsObjectName): Promise<MigrationStep> {
  return attempt(ctx, object, async ({ replacedAt, xetHash }) => {
    if (replacedAt === null) return 'idle'
    const recipe = await ctx.catalog.rows.lfsMigrations.recipe(object)
    // Null: nobody needed it, and a sweep has taken it.
    if (recipe !== null && (await computeSha256(ctx, recipe)) !== object.oid)
      throw new Error(`The Xet file ${xetHash} does not decode to ${object.oid}, which it replaced`)
    const key = lfsKey(object.domainId, object.oid)
    let isRemoved = false
    await ctx.removals.remove(() =>
      // An upload of the same object makes its bytes durable before its row: it must not find them and then lose them.
      ctx.repoQueue.run(key, async () => {
        isRemoved = await ctx.catalog.tx(async (rows) => {
          if (await rows.lfsMigrations.remove(object)) return true
          // A repository got it meanwhile, anew or from another one.
          await rows.lfsMigrations.insert(object, ctx.clock())
          return false
        })
        if (isRemoved) await ctx.blobs.delete(key)
      }),
    )
    return isRemoved ? 'removed' : 'idle'
  })
}

async function attempt(
  ctx: OpsContext,
  object: LfsObjectName,
  work: (row: LfsMigrationRow) => Promise<MigrationStep>,
): Promise<MigrationStep> {
  return ctx.repoQueue.run(QUEUE, async () => {
    // As it is now that this has its turn.
    const row = await ctx.catalog.rows.lfsMigrations.get(object)
    if (row === null) return 'idle'
    const putOff = (): Promise<void> => {
      const waitMs = Math.min(MIGRATION_RETRY_MS * 2 ** row.attempts, MIGRATION_RETRY_MAX_MS)
      return ctx.catalog.tx((rows) => rows.lfsMigrations.postpone(object, ctx.clock() + waitMs))
    }
    try {
      const step = await work(row)
      if (step === 'idle') await putOff()
      return step
    } catch (error) {
      // Whoever gives up by himself comes back.
      if ((error as Error).name !== 'AbortError') await putOff()
      throw error
    }
  })
}

/** Living ones; in the object's domain, whatever domain they are in by now. */
async function reposWith(ctx: OpsContext, object: LfsObjectName): Promise<RepoRow[]> {
  const repos: RepoRow[] = []
  for (const id of await ctx.catalog.rows.lfsMigrations.repoIds(object)) {
    const repo = await ctx.catalog.rows.repos.get(id)
    if (repo !== null && repo.deletedAt === null) repos.push({ ...repo, domainId: object.domainId })
  }
  return repos
}

/** Returns the hash of the file, which is registered for the first repository. */
async function packObject(
  ctx: OpsContext,
  { domainId, oid }: LfsObjectName,
  repos: readonly RepoRow[],
  pause: () => Promise<void>,
): Promise<string> {
  const sealed: PackedXorb[] = []
  const file = await packInto(ctx, { domainId, oid }, repos, sealed, pause)
  if (file.sha256 !== oid)
    throw new Error(`The stored bytes of ${oid} in domain ${domainId} no longer have that sha256`)
  const xorbs = sealed.slice(0, MIGRATION_SHARD_XORBS_MAX).map(shardXorb)
  const shard = formatShard({ files: [file], xorbs })
  await receiveShard(ctx, repos[0]!, shard, new Map([[file.hash, file.sha256]]))
  return file.hash
}

async function packInto(
  ctx: OpsContext,
  object: LfsObjectName,
  repos: readonly RepoRow[],
  sealed: PackedXorb[],
  pause: () => Promise<void>,
): Promise<HashedFile> {
  const { domainId, oid } = object
  await using packer = new XetPacker()
  let open: Staged | null = null
  try {
    return await packer.pack(await ctx.blobs.read(lfsKey(domainId, oid)), {
      known: await knownVersions(ctx, domainId, repos, oid),
      find: findSimilar(ctx, domainId),
      async append(bytes) {
        open ??= await ctx.blobs.stage('unhashed')
        await open.append(bytes)
      },
      async seal(xorb) {
        await using staged = open!
        open = null
        await storeXorb(ctx, domainId, xorb.hash, verified(xorb), staged)
        sealed.push(xorb)
      },
      pause,
    })
  } finally {
    await (open as Staged | null)?.abort()
  }
}

/** The thread has decoded and hashed what it packed. */
function verified({ chunks }: PackedXorb): VerifiedXorb {
  const table = decodeChunkTable(chunks)
  return {
    chunkCount: table.count,
    rawBytes: table.rawStart(table.count),
    storedBytes: table.physicalStart(table.count),
    chunks,
  }
}

function shardXorb({ hash, chunks }: PackedXorb): ShardXorb {
  const table = decodeChunkTable(chunks)
  const records = Array.from({ length: table.count }, (_, index) => ({
    hash: table.hash(index),
    rawBytes: table.rawStart(index + 1) - table.rawStart(index),
    isDedupCandidate: false,
  }))
  return {
    hash,
    chunks: encodeShardChunks(records),
    storedBytes: table.physicalStart(table.count),
  }
}
