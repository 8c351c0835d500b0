/** LFS objects, and what a sha256 is stored as. A repository sees what is linked to it and nothing else. */
import { sql, type Kysely } from 'kysely'

import type { BlobRows, StoredContent } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { pardon } from './collection.ts'
import { copyLinks } from './copy-links.ts'
import { prepared, preparedList } from './prepared.ts'

/** Values of one `in` list of a deletion. */
const DELETE_LIST_MAX = 500

const XET_COLUMNS = [
  'file.domain_id as domainId',
  'file.size_bytes as sizeBytes',
  'file.hash as xetHash',
  'file.term_count as termCount',
] as const
/** By what sha256 a repository has a Xet file: the computed one, and until then the claimed one. */
const XET_OID = sql<string>`coalesce(file.sha256, link.sha256)`

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
  const link = prepared(db, (slot: { repoId: string; domainId: string; oid: string; at: number }) =>
    db
      .insertInto('repo_lfs_objects')
      .values({ repo_id: slot.repoId, domain_id: slot.domainId, oid: slot.oid, linked_at: slot.at })
      .onConflict((conflict) => conflict.columns(['repo_id', 'oid']).doUpdateSet({ linked_at: slot.at })),
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
  const xetLinks = db
    .selectFrom('repo_xet_files as link')
    .innerJoin('xet_files as file', (join) =>
      join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
    )
  const claimedXet = preparedList(db, (oids, slot: { repoId: string }) =>
    xetLinks
      .select(['link.sha256 as oid', 'file.sha256 as proven', ...XET_COLUMNS])
      .where('link.repo_id', '=', slot.repoId)
      .where('link.sha256', 'in', oids)
      .where((eb) => eb.or([eb('file.sha256', 'is', null), eb('file.sha256', '=', eb.ref('link.sha256'))])),
  )
  // SQLite keeps to the order of a cross join: else it would look at all that the repository has.
  const provenXet = preparedList(db, (oids, slot: { repoId: string }) =>
    db
      .selectFrom('xet_files as file')
      .crossJoin('repo_xet_files as link')
      .select(['file.sha256 as oid', 'file.sha256 as proven', ...XET_COLUMNS])
      .where('file.sha256', 'in', oids)
      .where('link.repo_id', '=', slot.repoId)
      .whereRef('link.hash', '=', 'file.hash')
      .whereRef('link.domain_id', '=', 'file.domain_id'),
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
    xetLinks
      .select([XET_OID.as('oid'), (eb) => eb.fn.max('file.size_bytes').as('sizeBytes')])
      .select((eb) => eb.fn.min('file.created_at').as('createdAt'))
      .where('link.repo_id', '=', slot.repoId)
      .where(XET_OID, '>', slot.after)
      .groupBy(XET_OID)
      .orderBy(XET_OID)
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

    async linkLfs(repoId, oid, at, inDomain) {
      const domain = (await domainOf({ repoId })).rows[0]
      if (domain === undefined) throw new Error(`No repository ${repoId}`)
      const domainId = inDomain ?? domain.domain_id
      await link({ repoId, domainId, oid, at })
      await pardon(db, 'lfs', domainId, [oid])
    },

    copyLinks: (from, to, after, limit) => copyLinks(db, from, to, after, limit),

    async contentOf(repoId, oids) {
      const contents = new Map<string, StoredContent>()
      for (const row of await linkedLfs(oids, { repoId })) {
        const { domain_id: domainId, oid, size_bytes: sizeBytes } = row
        contents.set(oid, { kind: 'lfs', domainId, oid, sizeBytes })
      }
      const claimed = await claimedXet(oids, { repoId })
      const known = new Set([...contents.keys(), ...claimed.map(({ oid }) => oid)])
      // What somebody else called by another name, or nobody by any, is found by what the hub computed.
      const others = oids.filter((oid) => !known.has(oid))
      const proven = others.length === 0 ? [] : await provenXet(others, { repoId })
      for (const row of [...claimed, ...proven].toSorted(worseFirst)) {
        const oid = row.oid!
        const isProven = row.proven !== null
        // What a shard claims to have a sha256 never stands in for bytes that were hashed on their way in.
        if (!isProven && contents.get(oid)?.kind === 'lfs') continue
        const { domainId, sizeBytes, xetHash } = row
        contents.set(oid, { kind: 'xet', domainId, oid, sizeBytes, xetHash, isProven })
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
          .where(
            'hash',
            'in',
            xetLinks.select('link.hash').where('link.repo_id', '=', repoId).where(XET_OID, 'in', slice),
          )
          .execute()
        // What is left of these was claimed falsely; the file stays under its true name.
        await db
          .updateTable('repo_xet_files')
          .set({ sha256: null })
          .where('repo_id', '=', repoId)
          .where('sha256', 'in', slice)
          .execute()
      }
    },
  }
}

/** Of several Xet files with one sha256: computed before claimed, then the one with the fewest terms, then always the same. */
function worseFirst(
  one: { proven: string | null; termCount: number; xetHash: string },
  other: { proven: string | null; termCount: number; xetHash: string },
): number {
  const proof = Number(one.proven !== null) - Number(other.proven !== null)
  return proof || other.termCount - one.termCount || (one.xetHash < other.xetHash ? 1 : -1)
}

function* slices(list: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < list.length; start += DELETE_LIST_MAX)
    yield list.slice(start, start + DELETE_LIST_MAX)
}
