/** Counts and sums over whole tables. */
import { sql, type Kysely } from 'kysely'

import type { Schema } from '../schema.ts'
import type { CatalogCounts, StatsRows } from '../stats-rows.ts'

/** A sum of bigints is a numeric on PostgreSQL. */
const sum = (column: string) => sql<number>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`

export function statsRows(db: Kysely<Schema>): StatsRows {
  const linked = async (links: 'repo_lfs_objects' | 'repo_xet_files'): Promise<number> => {
    const query =
      links === 'repo_lfs_objects'
        ? db
            .selectFrom('repo_lfs_objects as link')
            .innerJoin('lfs_objects as file', (join) =>
              join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.oid', '=', 'link.oid'),
            )
            .innerJoin('repos', 'repos.id', 'link.repo_id')
            .where('repos.deleted_at', 'is', null)
        : db
            .selectFrom('repo_xet_files as link')
            .innerJoin('xet_files as file', (join) =>
              join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
            )
            .innerJoin('repos', 'repos.id', 'link.repo_id')
            .where('repos.deleted_at', 'is', null)
    return (await query.select(sum('file.size_bytes').as('bytes')).executeTakeFirstOrThrow()).bytes
  }

  return {
    async counts(): Promise<CatalogCounts> {
      const repos = await db
        .selectFrom('repos')
        .select((eb) => ['type', eb.fn.countAll<number>().as('count')])
        .where('deleted_at', 'is', null)
        .groupBy('type')
        .orderBy('type')
        .execute()
      const accounts = await db
        .selectFrom('accounts')
        .select((eb) => ['kind', eb.fn.countAll<number>().as('count')])
        .groupBy('kind')
        .orderBy('kind')
        .execute()
      const state = sql<'waiting' | 'failing' | 'givenUp'>`case
        when due_at is null or due_at = ${Number.MAX_SAFE_INTEGER} then 'givenUp'
        when last_error is not null then 'failing'
        else 'waiting' end`
      const events = await db
        .selectFrom('outbox')
        .select((eb) => [state.as('state'), eb.fn.countAll<number>().as('count')])
        .groupBy('state')
        .execute()
      const outbox = { waiting: 0, failing: 0, givenUp: 0 }
      for (const row of events) outbox[row.state] = Number(row.count)
      return {
        repos: repos.map(({ type, count }) => ({ type, count: Number(count) })),
        accounts: accounts.map(({ kind, count }) => ({ kind, count: Number(count) })),
        outbox,
      }
    },

    async deletedRepos() {
      const query = db.selectFrom('repos').select((eb) => eb.fn.countAll<number>().as('count'))
      return Number((await query.where('deleted_at', 'is not', null).executeTakeFirstOrThrow()).count)
    },

    async storage() {
      const lfs = await db
        .selectFrom('lfs_objects')
        .select((eb) => [eb.fn.countAll<number>().as('count'), sum('size_bytes').as('bytes')])
        .executeTakeFirstOrThrow()
      const xetFiles = await db
        .selectFrom('xet_files')
        .select((eb) => [eb.fn.countAll<number>().as('count'), sum('size_bytes').as('bytes')])
        .executeTakeFirstOrThrow()
      const xorbs = await db
        .selectFrom('xorbs')
        .select((eb) => [eb.fn.countAll<number>().as('count'), sum('raw_bytes').as('rawBytes')])
        .select(sum('stored_bytes').as('storedBytes'))
        .executeTakeFirstOrThrow()
      return {
        linked: { lfsBytes: await linked('repo_lfs_objects'), xetBytes: await linked('repo_xet_files') },
        lfs: { ...lfs, count: Number(lfs.count) },
        xetFiles: { ...xetFiles, count: Number(xetFiles.count) },
        xorbs: { ...xorbs, count: Number(xorbs.count) },
      }
    },

    async failedEvents(limit) {
      const rows = await db
        .selectFrom('outbox')
        .select(['event', 'attempts', 'due_at', 'last_error'])
        .where('last_error', 'is not', null)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      return rows.map(({ event, attempts, due_at: dueAt, last_error: reason }) => ({
        type: /"type":"([a-z.-]+)"/.exec(event)?.[1] ?? 'unknown',
        attempts,
        retryAt: dueAt === Number.MAX_SAFE_INTEGER ? null : dueAt,
        reason: reason ?? '',
      }))
    },
  }
}
