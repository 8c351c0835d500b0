/** LFS objects, and what a sha256 is stored as. A repository sees what is linked to it and nothing else. */
import type { Kysely } from 'kysely'

import type { BlobRows, StoredContent } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { copyLinks } from './copy-links.ts'
import { prepared, preparedList } from './prepared.ts'

/** Values of one `in` list of a deletion. */
const DELETE_LIST_MAX = 500

export function blobRows(db: Kysely<Schema>): BlobRows {
  const lfs = prepared(db, (slot: { domainId: string; oid: string }) =>
    db
      .selectFrom('lfs_objects')
      .select(['domain_id as domainId', 'oid', 'size_bytes as sizeBytes', 'created_at as createdAt'])
      .where('domain_id', '=', slot.domainId)
      .where('oid', '=', slot.oid),
  )
  const domainOf = prepared(db, (slot: { repoId: string }) =>
    db.selectFrom('repos').select('domain_id').where('id', '=', slot.repoId),
  )
  const earlierDomainsOf = prepared(db, (slot: { repoId: string }) =>
    db.selectFrom('repo_domains').select('domain_id').where('repo_id', '=', slot.repoId).orderBy('domain_id'),
  )
  const link = prepared(db, (slot: { repoId: string; domainId: string; oid: string }) =>
    db
      .insertInto('repo_lfs_objects')
      .values({ repo_id: slot.repoId, domain_id: slot.domainId, oid: slot.oid })
      .onConflict((conflict) => conflict.columns(['repo_id', 'oid']).doNothing()),
  )
  const linkedLfs = preparedList(db, (oids, slot: { repoId: string }) =>
    db
      .selectFrom('repo_lfs_objects as link')
      .innerJoin('lfs_objects as object', (join) =>
        join.onRef('object.domain_id', '=', 'link.domain_id').onRef('object.oid', '=', 'link.oid'),
      )
      .select(['object.domain_id', 'object.oid', 'object.size_bytes'])
      .where('link.repo_id', '=', slot.repoId)
      .where('link.oid', 'in', oids),
  )
  const linkedXet = preparedList(db, (oids, slot: { repoId: string; domainId: string }) =>
    db
      .selectFrom('xet_files as file')
      .innerJoin('repo_xet_files as link', (join) =>
        join.onRef('link.hash', '=', 'file.hash').onRef('link.domain_id', '=', 'file.domain_id'),
      )
      .select(['file.sha256', 'file.size_bytes', 'file.hash', 'file.sha256_state'])
      .where('link.repo_id', '=', slot.repoId)
      .where('file.domain_id', '=', slot.domainId)
      .where('file.sha256', 'in', oids)
      .where('file.sha256_state', '!=', 'mismatch')
      // Of several, a verified one is left standing in the map; else the choice is at least always the same.
      .orderBy('file.sha256_state')
      .orderBy('file.hash'),
  )

  const lfsAfter = prepared(db, (slot: { repoId: string; after: string; limit: number }) =>
    db
      .selectFrom('repo_lfs_objects as link')
      .innerJoin('lfs_objects as object', (join) =>
        join.onRef('object.domain_id', '=', 'link.domain_id').onRef('object.oid', '=', 'link.oid'),
      )
      .select(['object.oid', 'object.size_bytes as sizeBytes', 'object.created_at as createdAt'])
      .where('link.repo_id', '=', slot.repoId)
      .where('link.oid', '>', slot.after)
      .orderBy('link.oid')
      .limit(slot.limit),
  )
  const xetAfter = prepared(db, (slot: { repoId: string; after: string; limit: number }) =>
    db
      .selectFrom('repo_xet_files as link')
      .innerJoin('xet_files as file', (join) =>
        join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
      )
      .select(['file.sha256 as oid', (eb) => eb.fn.max('file.size_bytes').as('sizeBytes')])
      .select((eb) => eb.fn.min('file.created_at').as('createdAt'))
      .where('link.repo_id', '=', slot.repoId)
      .where('file.sha256', '>', slot.after)
      .where('file.sha256_state', '!=', 'mismatch')
      .groupBy('file.sha256')
      .orderBy('file.sha256')
      .limit(slot.limit),
  )

  return {
    async insertLfs({ domainId, oid, sizeBytes, createdAt }) {
      await db
        .insertInto('lfs_objects')
        .values({ domain_id: domainId, oid, size_bytes: sizeBytes, created_at: createdAt })
        .onConflict((conflict) => conflict.columns(['domain_id', 'oid']).doNothing())
        .execute()
    },

    async getLfs(domainId, oid) {
      return (await lfs({ domainId, oid })).rows[0] ?? null
    },

    async linkLfs(repoId, oid, domainId) {
      const domain = (await domainOf({ repoId })).rows[0]
      if (domain === undefined) throw new Error(`No repository ${repoId}`)
      await link({ repoId, domainId: domainId ?? domain.domain_id, oid })
    },

    copyLinks: (from, to, after, limit) => copyLinks(db, from, to, after, limit),

    async contentOf(repoId, oids) {
      const contents = new Map<string, StoredContent>()
      for (const row of await linkedLfs(oids, { repoId })) {
        const { domain_id: domainId, oid, size_bytes: sizeBytes } = row
        contents.set(oid, { kind: 'lfs', domainId, oid, sizeBytes })
      }
      const own = (await domainOf({ repoId })).rows
      const earlier = (await earlierDomainsOf({ repoId })).rows
      // Its own domain comes last, and wins.
      for (const { domain_id: domainId } of [...earlier, ...own])
        for (const row of await linkedXet(oids, { repoId, domainId })) {
          // What a shard claims to have a sha256 never stands in for bytes that were hashed on their way in.
          if (row.sha256_state === 'claimed' && contents.get(row.sha256!)?.kind === 'lfs') continue
          contents.set(row.sha256!, {
            kind: 'xet',
            domainId,
            oid: row.sha256!,
            sizeBytes: row.size_bytes,
            xetHash: row.hash,
            sha256State: row.sha256_state,
          })
        }
      return contents
    },

    async listContent(repoId, after, limit) {
      const slots = { repoId, after: after ?? '', limit }
      const byOid = new Map((await lfsAfter(slots)).rows.map((row) => [row.oid, { ...row }]))
      for (const { oid, sizeBytes, createdAt } of (await xetAfter(slots)).rows) {
        const known = byOid.get(oid!)
        if (known === undefined) byOid.set(oid!, { oid: oid!, sizeBytes, createdAt })
        else known.createdAt = Math.min(known.createdAt, createdAt)
      }
      const rows = [...byOid.values()].toSorted((one, other) => (one.oid < other.oid ? -1 : 1))
      return rows.slice(0, limit)
    },

    async unlinkContent(repoId, oids) {
      for (const slice of slices(oids)) {
        await db
          .deleteFrom('repo_lfs_objects')
          .where('repo_id', '=', repoId)
          .where('oid', 'in', slice)
          .execute()
        await db
          .deleteFrom('repo_xet_files')
          .where('repo_id', '=', repoId)
          .where((eb) =>
            eb.exists(
              eb
                .selectFrom('xet_files')
                .select('xet_files.hash')
                .whereRef('xet_files.domain_id', '=', 'repo_xet_files.domain_id')
                .whereRef('xet_files.hash', '=', 'repo_xet_files.hash')
                .where('xet_files.sha256', 'in', slice),
            ),
          )
          .execute()
      }
    },
  }
}

function* slices(list: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < list.length; start += DELETE_LIST_MAX)
    yield list.slice(start, start + DELETE_LIST_MAX)
}
