/** The repositories of one account: how many, which, and what they weigh. */
import { sql, type Kysely, type RawBuilder, type SelectQueryBuilder } from 'kysely'

import type { OwnedRepoRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { preparedList } from './prepared.ts'
import { REPO_COLUMNS, toRepo } from './repos.ts'

export function ownedRepoRows(db: Kysely<Schema>): OwnedRepoRows {
  const living = (registryId: string, ownerId: string) =>
    db
      .selectFrom('repos')
      .where('deleted_at', 'is', null)
      .where('registry_id', '=', registryId)
      .where('owner_id', '=', ownerId)
  const lfsFiles = db
    .selectFrom('repo_lfs_objects as link')
    .innerJoin('lfs_objects as file', (join) =>
      join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.oid', '=', 'link.oid'),
    )
  const xetFiles = db
    .selectFrom('repo_xet_files as link')
    .innerJoin('xet_files as file', (join) =>
      join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
    )
  // A sum of bigints is a numeric on PostgreSQL.
  const bytes = sql<number>`cast(coalesce(sum(file.size_bytes), 0) as bigint)`.as('bytes')
  const perRepo = [lfsFiles, xetFiles].map((files) =>
    preparedList<object, { repo_id: string; bytes: number }>(db, (repoIds) =>
      (files as Files)
        .select(['link.repo_id', bytes])
        .where('link.repo_id', 'in', repoIds)
        .groupBy('link.repo_id'),
    ),
  )

  const sum = async (rows: RawBuilder<unknown>): Promise<number> => {
    const query = sql<{
      bytes: number
    }>`select cast(coalesce(sum(bytes), 0) as bigint) as bytes from (${rows}) as found`
    return (await query.execute(db)).rows[0]?.bytes ?? 0
  }

  return {
    async counts(registryId, ownerId) {
      const rows = await living(registryId, ownerId)
        .select((eb) => ['type', 'private', eb.fn.countAll<number>().as('count')])
        .groupBy(['type', 'private'])
        .orderBy('type')
        .orderBy('private')
        .execute()
      return rows.map((row) => ({ type: row.type, private: row.private === 1, count: row.count }))
    },

    async page(registryId, ownerId, after, limit) {
      const query = living(registryId, ownerId).select(REPO_COLUMNS).orderBy('id').limit(limit)
      return (await (after === null ? query : query.where('id', '>', after)).execute()).map(toRepo)
    },

    async storage(repoIds) {
      const found = new Map(repoIds.map((id) => [id, 0]))
      for (const files of perRepo)
        for (const row of await files(repoIds, {}))
          found.set(row.repo_id, (found.get(row.repo_id) ?? 0) + row.bytes)
      return found
    },

    async storageTotal(registryId, ownerId) {
      let total = 0
      for (const files of [lfsFiles, xetFiles] as Files[]) {
        const ids = living(registryId, ownerId).select('id')
        total += (await files.select(bytes).where('link.repo_id', 'in', ids).executeTakeFirst())?.bytes ?? 0
      }
      return total
    },

    async sizes(of) {
      const repos = db.selectFrom('repos').select('id').where('deleted_at', 'is', null)
      const those =
        of === null
          ? repos
          : 'repoId' in of
            ? repos.where('id', '=', of.repoId)
            : repos.where('owner_id', '=', of.ownerId)
      // A file that came both ways is the same content once.
      const contents = sql`
        select l.repo_id, l.oid as content, o.size_bytes as bytes
          from repo_lfs_objects l join lfs_objects o on o.domain_id = l.domain_id and o.oid = l.oid
          where l.repo_id in (${those})
        union
        select x.repo_id, coalesce(f.sha256, x.sha256, f.hash) as content, f.size_bytes as bytes
          from repo_xet_files x join xet_files f on f.domain_id = x.domain_id and f.hash = x.hash
          where x.repo_id in (${those})`
      const objects = sql`
        select distinct o.domain_id, o.oid, o.size_bytes as bytes
          from repo_lfs_objects l join lfs_objects o on o.domain_id = l.domain_id and o.oid = l.oid
          where l.repo_id in (${those})`
      const xorbs = sql`
        select distinct b.domain_id, b.hash, b.stored_bytes as bytes
          from repo_xet_files x
            join xet_file_xorbs u on u.domain_id = x.domain_id and u.file_hash = x.hash
            join xorbs b on b.domain_id = u.domain_id and b.hash = u.xorb_hash
          where x.repo_id in (${those})`
      return { logicalBytes: await sum(contents), onDiskBytes: (await sum(objects)) + (await sum(xorbs)) }
    },
  }
}

/** What the two joins have in common. */
type Files = SelectQueryBuilder<
  { link: { repo_id: string }; file: { size_bytes: number } } & Schema,
  'link' | 'file',
  object
>
