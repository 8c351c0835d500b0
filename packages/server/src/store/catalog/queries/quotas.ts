/** Quotas and what counts towards them. */
import { sql, type Kysely } from 'kysely'

import type { QuotaRows, QuotaSubject } from '../quota-rows.ts'
import type { Schema } from '../schema.ts'
import { prepared } from './prepared.ts'

export function quotaRows(db: Kysely<Schema>): QuotaRows {
  const accountQuota = prepared(db, (slot: { id: string }) =>
    db.selectFrom('account_quotas').select('bytes').where('account_id', '=', slot.id),
  )
  const repoQuota = prepared(db, (slot: { id: string }) =>
    db.selectFrom('repo_quotas').select('bytes').where('repo_id', '=', slot.id),
  )
  /** Living repositories that a subject is or owns. */
  const reposOf = (subject: QuotaSubject, id: string) =>
    db
      .selectFrom('repos')
      .select('id')
      .where('deleted_at', 'is', null)
      .where(subject === 'repo' ? 'id' : 'owner_id', '=', id)
  // A sum of bigints is a numeric on PostgreSQL.
  const sumOf = (column: 'file.size_bytes' | 'bytes') =>
    sql<number>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`.as('bytes')

  return {
    async get(subject, id) {
      return (await (subject === 'account' ? accountQuota({ id }) : repoQuota({ id }))).rows[0]?.bytes
    },

    async list(subject) {
      const rows =
        subject === 'account'
          ? await db.selectFrom('account_quotas').select(['account_id as id', 'bytes']).execute()
          : await db.selectFrom('repo_quotas').select(['repo_id as id', 'bytes']).execute()
      return new Map(rows.map(({ id, bytes }) => [id, bytes]))
    },

    async set(subject, id, bytes) {
      if (subject === 'account') {
        await db.deleteFrom('account_quotas').where('account_id', '=', id).execute()
        if (bytes !== undefined)
          await db.insertInto('account_quotas').values({ account_id: id, bytes }).execute()
      } else {
        await db.deleteFrom('repo_quotas').where('repo_id', '=', id).execute()
        if (bytes !== undefined) await db.insertInto('repo_quotas').values({ repo_id: id, bytes }).execute()
      }
    },

    async usage(subject, id) {
      const lfs = await db
        .selectFrom('repo_lfs_objects as link')
        .innerJoin('lfs_objects as file', (join) =>
          join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.oid', '=', 'link.oid'),
        )
        .select(sumOf('file.size_bytes'))
        .where('link.repo_id', 'in', reposOf(subject, id))
        .executeTakeFirstOrThrow()
      const xet = await db
        .selectFrom('repo_xet_files as link')
        .innerJoin('xet_files as file', (join) =>
          join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
        )
        .select(sumOf('file.size_bytes'))
        .where('link.repo_id', 'in', reposOf(subject, id))
        .executeTakeFirstOrThrow()
      const git = await db
        .selectFrom('repo_git_sizes')
        .select(sumOf('bytes'))
        .where('repo_id', 'in', reposOf(subject, id))
        .executeTakeFirstOrThrow()
      return { files: lfs.bytes + xet.bytes, git: git.bytes }
    },

    async unmeasured(of) {
      const query = db
        .selectFrom('repos')
        .leftJoin('repo_git_sizes as size', 'size.repo_id', 'repos.id')
        .select('repos.id')
        .where('repos.deleted_at', 'is', null)
        .where('size.repo_id', 'is', null)
      const column = of?.subject === 'repo' ? 'repos.id' : 'repos.owner_id'
      const rows = await (of === null ? query : query.where(column, '=', of.id)).execute()
      return rows.map(({ id }) => id)
    },

    async setGitBytes(repoId, bytes) {
      await db
        .insertInto('repo_git_sizes')
        .values({ repo_id: repoId, bytes })
        .onConflict((conflict) => conflict.column('repo_id').doUpdateSet({ bytes }))
        .execute()
    },

    async forgetGitBytes(repoId) {
      await db.deleteFrom('repo_git_sizes').where('repo_id', '=', repoId).execute()
    },

    async gitBytesTotal() {
      return (await db.selectFrom('repo_git_sizes').select(sumOf('bytes')).executeTakeFirstOrThrow()).bytes
    },
  }
}
