/** Downloads by repository and day. */
import { sql, type Kysely } from 'kysely'

import type { DownloadRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { prepared, preparedList } from './prepared.ts'

export function downloadRows(db: Kysely<Schema>): DownloadRows {
  // Selecting from `repos` passes over a repository that was purged between the download and its counting.
  const add = prepared(db, (slot: { repoId: string; day: number; count: number }) =>
    db
      .insertInto('downloads_daily')
      .columns(['repo_id', 'day', 'count'])
      .expression((eb) =>
        eb
          .selectFrom('repos')
          .select([
            'id',
            sql<number>`cast(${slot.day} as integer)`.as('day'),
            sql<number>`cast(${slot.count} as bigint)`.as('count'),
          ])
          .where('id', '=', slot.repoId),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['repo_id', 'day'])
          .doUpdateSet((eb) => ({ count: eb('downloads_daily.count', '+', eb.ref('excluded.count')) })),
      ),
  )
  const summary = preparedList(db, (repoIds, slot: { sinceDay: number }) =>
    db
      .selectFrom('downloads_daily')
      .select((eb) => [
        'repo_id',
        // A sum of bigints is a numeric on PostgreSQL.
        sql<number>`cast(sum(${eb.ref('count')}) as bigint)`.as('all_time'),
        sql<number>`cast(sum(case when ${eb.ref('day')} >= ${slot.sinceDay} then ${eb.ref('count')} else 0 end) as bigint)`.as(
          'recent',
        ),
      ])
      .where('repo_id', 'in', repoIds)
      .groupBy('repo_id'),
  )

  return {
    async add(counts) {
      for (const { repoId, day, count } of counts) await add({ repoId, day, count })
    },

    async summary(repoIds, sinceDay) {
      const found = new Map(repoIds.map((id) => [id, { recent: 0, allTime: 0 }]))
      for (const row of await summary(repoIds, { sinceDay }))
        found.set(row.repo_id, { recent: row.recent, allTime: row.all_time })
      return found
    },

    async expire(sinceDay) {
      await sql`update repo_index
        set downloads = (select cast(coalesce(sum(d.count), 0) as bigint) from downloads_daily d
          where d.repo_id = repo_index.repo_id and d.day >= ${sinceDay})
        where downloads > 0 and repo_id in (select repo_id from downloads_daily where day < ${sinceDay})`.execute(
        db,
      )
    },

    history(repoId, sinceDay, untilDay) {
      return db
        .selectFrom('downloads_daily')
        .select(['day', 'count'])
        .where('repo_id', '=', repoId)
        .where('day', '>=', sinceDay)
        .where('day', '<=', untilDay)
        .orderBy('day')
        .execute()
    },
  }
}
