/** Xorbs, Xet files, and the index by which a client finds chunks that its domain has already. */
import { sql, type Kysely } from 'kysely'

import { TOUCH_INTERVAL_MS } from '../../../limits.ts'
import { XorbMissingError } from '../catalog-errors.ts'
import type { XetRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { pardon } from './collection.ts'
import { insertSlices, prepared, preparedList } from './prepared.ts'

/** Values of one `in` list. */
const TOUCHED_AT_ONCE = 500

export function xetRows(db: Kysely<Schema>): XetRows {
  return { ...xorbRows(db), ...fileRows(db), ...dedupRows(db), ...versionRows(db) }
}

function xorbRows(db: Kysely<Schema>): Pick<XetRows, 'insertXorb' | 'touchXorb' | 'getXorbs'> {
  const xorbs = preparedList(db, (hashes, slot: { domainId: string }) =>
    db
      .selectFrom('xorbs')
      .select(['domain_id as domainId', 'hash', 'chunk_count as chunkCount', 'raw_bytes as rawBytes'])
      .select(['stored_bytes as storedBytes', 'chunks', 'stored_at as storedAt', 'touched_at as touchedAt'])
      .where('domain_id', '=', slot.domainId)
      .where('hash', 'in', hashes),
  )

  return {
    async insertXorb(row) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('xorbs')
        .values({
          domain_id: row.domainId,
          hash: row.hash,
          chunk_count: row.chunkCount,
          raw_bytes: row.rawBytes,
          stored_bytes: row.storedBytes,
          chunks: row.chunks,
          stored_at: row.storedAt,
          touched_at: row.touchedAt,
        })
        .onConflict((conflict) => conflict.columns(['domain_id', 'hash']).doNothing())
        .executeTakeFirstOrThrow()
      if (numInsertedOrUpdatedRows === 1n) {
        await pardon(db, 'xorbs', row.domainId, [row.hash])
        return true
      }
      await touchXorbs(db, row.domainId, [row.hash], row.touchedAt)
      return false
    },

    async touchXorb(domainId, hash, at) {
      return (await touchXorbs(db, domainId, [hash], at)) === null
    },

    async getXorbs(domainId, hashes) {
      return new Map((await xorbs(hashes, { domainId })).map((row) => [row.hash, row]))
    },
  }
}

function fileRows(
  db: Kysely<Schema>,
): Pick<XetRows, 'insertFile' | 'getFile' | 'getRecipe' | 'knownFiles' | 'prove' | 'falseClaims'> {
  const links = db
    .selectFrom('repo_xet_files as link')
    .innerJoin('xet_files as file', (join) =>
      join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
    )
  const linkedFile = prepared(db, (slot: { repoId: string; hash: string }) =>
    links
      .select(['file.domain_id as domainId', 'file.hash', 'file.size_bytes as sizeBytes'])
      .select(['file.term_count as termCount', 'file.terms', 'file.sha256'])
      .select(['link.sha256 as claimedSha256', 'file.created_at as createdAt'])
      .where('link.repo_id', '=', slot.repoId)
      .where('link.hash', '=', slot.hash),
  )
  const known = preparedList(db, (hashes, slot: { repoId: string }) =>
    db
      .selectFrom('xet_files as file')
      .innerJoin('repos', 'repos.domain_id', 'file.domain_id')
      .leftJoin('repo_xet_files as link', (join) =>
        join
          .onRef('link.repo_id', '=', 'repos.id')
          .onRef('link.hash', '=', 'file.hash')
          .onRef('link.domain_id', '=', 'file.domain_id'),
      )
      .select(['file.hash', 'file.sha256', 'link.repo_id as linkedTo', 'link.sha256 as claimedSha256'])
      .where('repos.id', '=', slot.repoId)
      .where('file.hash', 'in', hashes),
  )
  const refuted = links
    .whereRef('link.sha256', '!=', 'file.sha256')
    .select(['link.repo_id as repoId', 'link.sha256 as claimedSha256', 'link.hash as xetHash'])
    .select('file.sha256')
    .$narrowType<{ claimedSha256: string; sha256: string }>()
  const refutedOf = preparedList(db, (oids, slot: { repoId: string }) =>
    refuted.where('link.repo_id', '=', slot.repoId).where('link.sha256', 'in', oids).orderBy('link.hash'),
  )

  return {
    async insertFile(repoId, row, xorbHashes) {
      const missing = await touchXorbs(db, row.domainId, xorbHashes, row.createdAt)
      if (missing !== null) throw new XorbMissingError(missing)
      await db
        .insertInto('xet_files')
        .values({
          domain_id: row.domainId,
          hash: row.hash,
          size_bytes: row.sizeBytes,
          term_count: row.termCount,
          terms: row.terms,
          sha256: row.sha256,
          created_at: row.createdAt,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['domain_id', 'hash'])
            .doUpdateSet((eb) => ({ sha256: eb.ref('excluded.sha256') }))
            .where('xet_files.sha256', 'is', null)
            .where('excluded.sha256', 'is not', null),
        )
        .execute()
      const uses = [...new Set(xorbHashes)].map((hash) => ({
        domain_id: row.domainId,
        file_hash: row.hash,
        xorb_hash: hash,
      }))
      for (const slice of insertSlices(uses)) {
        const insert = db.insertInto('xet_file_xorbs').values(slice)
        await insert.onConflict((conflict) => conflict.doNothing()).execute()
      }
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('repo_xet_files')
        .values({
          repo_id: repoId,
          domain_id: row.domainId,
          hash: row.hash,
          sha256: row.claimedSha256,
          linked_at: row.createdAt,
        })
        // What came from the repository's earlier domain, or from the one it was duplicated from, is its own now.
        .onConflict((conflict) =>
          conflict
            .columns(['repo_id', 'hash'])
            .doUpdateSet((eb) => ({
              domain_id: eb.ref('excluded.domain_id'),
              sha256: eb.fn.coalesce('repo_xet_files.sha256', 'excluded.sha256'),
            }))
            .where((eb) =>
              eb.or([
                eb('repo_xet_files.domain_id', '!=', eb.ref('excluded.domain_id')),
                eb.and([eb('repo_xet_files.sha256', 'is', null), eb('excluded.sha256', 'is not', null)]),
              ]),
            ),
        )
        .executeTakeFirstOrThrow()
      const renew = db.updateTable('repo_xet_files').set({ linked_at: row.createdAt })
      const older = renew.where('linked_at', '<', row.createdAt)
      await older.where('repo_id', '=', repoId).where('hash', '=', row.hash).execute()
      return numInsertedOrUpdatedRows === 1n
    },

    async getFile(repoId, hash) {
      return (await linkedFile({ repoId, hash })).rows[0] ?? null
    },

    async getRecipe(domainId, hash) {
      const file = db.selectFrom('xet_files').select(['terms', 'sha256']).where('domain_id', '=', domainId)
      return (await file.where('hash', '=', hash).executeTakeFirst()) ?? null
    },

    async knownFiles(repoId, hashes) {
      const rows = await known(hashes, { repoId })
      return new Map(
        rows.map(({ hash, sha256, linkedTo, claimedSha256 }) => [
          hash,
          { sha256, isLinked: linkedTo !== null, claimedSha256 },
        ]),
      )
    },

    async prove(domainId, hash, sha256) {
      const set = db.updateTable('xet_files').set({ sha256 })
      await set.where('domain_id', '=', domainId).where('hash', '=', hash).execute()
      return refuted.where('link.domain_id', '=', domainId).where('link.hash', '=', hash).execute()
    },

    async falseClaims(repoId, oids) {
      return new Map((await refutedOf(oids, { repoId })).map((row) => [row.claimedSha256, row]))
    },
  }
}

function dedupRows(
  db: Kysely<Schema>,
): Pick<XetRows, 'insertShard' | 'findShardByChunk' | 'currentEpoch' | 'insertEpoch'> {
  const newest = prepared(db, (slot: { domainId: string; chunkHash: string }) =>
    db
      .selectFrom('dedup_chunks')
      .innerJoin('shards', 'shards.id', 'dedup_chunks.shard_id')
      .select(['dedup_chunks.shard_id', 'dedup_chunks.xorb_hash', 'shards.repo_id'])
      .where('dedup_chunks.domain_id', '=', slot.domainId)
      .where('dedup_chunks.chunk_hash', '=', slot.chunkHash)
      .where((eb) => eb.not(eb.exists(doomedXorb(db, 'dedup_chunks'))))
      .orderBy('dedup_chunks.created_at', 'desc')
      .orderBy('dedup_chunks.shard_id', 'desc')
      .limit(1),
  )
  const newestOfRepo = prepared(db, (slot: { domainId: string; chunkHash: string; repoId: string }) =>
    db
      .selectFrom('dedup_chunks')
      .innerJoin('shards', 'shards.id', 'dedup_chunks.shard_id')
      .select(['dedup_chunks.shard_id', 'dedup_chunks.xorb_hash', 'shards.repo_id'])
      .where('dedup_chunks.domain_id', '=', slot.domainId)
      .where('dedup_chunks.chunk_hash', '=', slot.chunkHash)
      .where('shards.repo_id', '=', slot.repoId)
      .where((eb) => eb.not(eb.exists(doomedXorb(db, 'dedup_chunks'))))
      .orderBy('dedup_chunks.created_at', 'desc')
      .orderBy('dedup_chunks.shard_id', 'desc')
      .limit(1),
  )
  const xorbsOf = prepared(db, (slot: { shardId: string }) =>
    db
      .selectFrom('shard_xorbs')
      .select('xorb_hash')
      .where('shard_id', '=', slot.shardId)
      .where((eb) => eb.not(eb.exists(doomedXorb(db, 'shard_xorbs'))))
      .orderBy('position'),
  )

  return {
    async insertShard({ id, domainId, repoId, createdAt, xorbHashes, chunks }) {
      const missing = await touchXorbs(db, domainId, xorbHashes, createdAt)
      if (missing !== null) throw new XorbMissingError(missing)
      await db
        .insertInto('shards')
        .values({ id, domain_id: domainId, repo_id: repoId, created_at: createdAt })
        .execute()
      const xorbs = xorbHashes.map((hash, position) => ({
        shard_id: id,
        position,
        domain_id: domainId,
        xorb_hash: hash,
      }))
      for (const slice of insertSlices(xorbs)) await db.insertInto('shard_xorbs').values(slice).execute()
      const eligible = chunks.map(({ hash, xorbHash }) => ({
        domain_id: domainId,
        chunk_hash: hash,
        created_at: createdAt,
        shard_id: id,
        xorb_hash: xorbHash,
      }))
      for (const slice of insertSlices(eligible)) {
        const insert = db.insertInto('dedup_chunks').values(slice)
        await insert.onConflict((conflict) => conflict.doNothing()).execute()
      }
    },

    async findShardByChunk(domainId, chunkHash, repoId) {
      const slots = { domainId, chunkHash }
      const found = repoId === null ? await newest(slots) : await newestOfRepo({ ...slots, repoId })
      const chunk = found.rows[0]
      if (chunk === undefined) return null
      const xorbs = (await xorbsOf({ shardId: chunk.shard_id })).rows
      const xorbHashes = [...new Set([chunk.xorb_hash, ...xorbs.map((row) => row.xorb_hash)])]
      return { repoId: chunk.repo_id, xorbHashes }
    },

    async currentEpoch(at) {
      const query = db.selectFrom('dedup_epochs').select(['id', 'key', 'ends_at as endsAt'])
      const row = await query.where('ends_at', '>', at).orderBy('ends_at', 'desc').limit(1).executeTakeFirst()
      return row ?? null
    },

    async insertEpoch({ id, key, endsAt }) {
      await db.insertInto('dedup_epochs').values({ id, key, ends_at: endsAt }).execute()
    },
  }
}

/** Paths that one look-up follows, and files that it takes their xorbs of. */
const PATHS_MAX = 16
const LATER_FILES_MAX = 16

function versionRows(db: Kysely<Schema>): Pick<XetRows, 'notePathVersions' | 'xorbsOfLaterVersions'> {
  const later = prepared(db, (slot: { repoId: string; domainId: string; xorbHash: string }) =>
    db
      .selectFrom((eb) =>
        eb
          .selectFrom('xet_file_xorbs as use')
          .innerJoin('repo_xet_files as link', (join) =>
            join.onRef('link.hash', '=', 'use.file_hash').onRef('link.domain_id', '=', 'use.domain_id'),
          )
          .innerJoin('path_versions as version', (join) =>
            join.onRef('version.repo_id', '=', 'link.repo_id').onRef('version.oid', '=', 'link.sha256'),
          )
          .select(['version.path_key', 'version.landed_at'])
          .where('use.domain_id', '=', slot.domainId)
          .where('use.xorb_hash', '=', slot.xorbHash)
          .where('link.repo_id', '=', slot.repoId)
          .limit(PATHS_MAX)
          .as('seen'),
      )
      .innerJoin('path_versions as version', (join) =>
        join
          .onRef('version.path_key', '=', 'seen.path_key')
          .onRef('version.landed_at', '>', 'seen.landed_at'),
      )
      .innerJoin('repo_xet_files as link', (join) =>
        join.onRef('link.repo_id', '=', 'version.repo_id').onRef('link.sha256', '=', 'version.oid'),
      )
      .select('link.hash')
      .where('version.repo_id', '=', slot.repoId)
      .where('link.domain_id', '=', slot.domainId)
      .orderBy('version.landed_at', 'desc')
      .orderBy('link.hash')
      .limit(LATER_FILES_MAX),
  )
  const xorbsOf = preparedList(db, (fileHashes, slot: { domainId: string }) =>
    db
      .selectFrom('xet_file_xorbs')
      .select(['file_hash as file', 'xorb_hash as xorb'])
      .where('domain_id', '=', slot.domainId)
      .where('file_hash', 'in', fileHashes)
      .where((eb) => eb.not(eb.exists(doomedXorb(db, 'xet_file_xorbs'))))
      .orderBy('xorb_hash'),
  )

  return {
    async notePathVersions(repoId, versions) {
      const rows = versions.map(({ pathKey, oid, landedAt }) => ({
        repo_id: repoId,
        path_key: pathKey,
        oid,
        landed_at: landedAt,
      }))
      for (const slice of insertSlices(rows)) {
        const insert = db.insertInto('path_versions').values(slice)
        await insert.onConflict((conflict) => conflict.doNothing()).execute()
      }
    },

    async xorbsOfLaterVersions(repoId, domainId, xorbHash, limit) {
      const files = new Set((await later({ repoId, domainId, xorbHash })).rows.map(({ hash }) => hash))
      if (files.size === 0) return []
      const uses = await xorbsOf(files, { domainId })
      const xorbs = [...files].flatMap((hash) => uses.filter(({ file }) => file === hash))
      const distinct = new Set(xorbs.map(({ xorb }) => xorb))
      distinct.delete(xorbHash)
      return [...distinct].slice(0, limit)
    },
  }
}

/**
 * These are in use: nobody removes them for the grace. Returns one that is not there. Written seldom, because a xorb's
 * row holds its chunk table.
 */
async function touchXorbs(
  db: Kysely<Schema>,
  domainId: string,
  hashes: readonly string[],
  at: number,
): Promise<string | null> {
  for (let start = 0; start < hashes.length; start += TOUCHED_AT_ONCE) {
    const slice = hashes.slice(start, start + TOUCHED_AT_ONCE)
    const those = db.selectFrom('xorbs').select('hash').where('domain_id', '=', domainId)
    const found = new Set((await those.where('hash', 'in', slice).execute()).map(({ hash }) => hash))
    const missing = slice.find((hash) => !found.has(hash))
    if (missing !== undefined) return missing
    await db
      .updateTable('xorbs')
      .set({ touched_at: at })
      .where('domain_id', '=', domainId)
      .where('hash', 'in', slice)
      .where('touched_at', '<', at - TOUCH_INTERVAL_MS)
      .execute()
  }
  await pardon(db, 'xorbs', domainId, hashes)
  return null
}

/** For a condition: the xorb of this row is about to go, and nobody shall begin to rely on it. */
function doomedXorb(db: Kysely<Schema>, table: 'dedup_chunks' | 'shard_xorbs' | 'xet_file_xorbs') {
  return db
    .selectFrom('doomed_blobs as doomed')
    .select('doomed.name')
    .where('doomed.kind', '=', 'xorbs')
    .where(sql`doomed.domain_id`, '=', sql.ref(`${table}.domain_id`))
    .where(sql`doomed.name`, '=', sql.ref(`${table}.xorb_hash`))
}
