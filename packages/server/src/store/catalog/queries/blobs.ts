/** LFS objects, and what a sha256 is stored as. A repository sees what is linked to it and nothing else. */
import type { Kysely } from 'kysely'

import type { BlobRows, StoredContent } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { copyLinks } from './copy-links.ts'
import { prepared, preparedList } from './prepared.ts'

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
  }
}
