/** Who did what. Rows are only ever added. */
import type { Kysely } from 'kysely'

import type { AuditRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'

export function auditRows(db: Kysely<Schema>): AuditRows {
  return {
    async insert({ id, at, actorId, action, repoId, subject, details }) {
      JSON.parse(details) // Throws here rather than in whoever reads the row in a year.
      await db
        .insertInto('audit')
        .values({ id, at, actor_id: actorId, action, repo_id: repoId, subject, details })
        .execute()
    },

    list({ repoId, before, limit }) {
      let query = db
        .selectFrom('audit')
        .select(['id', 'at', 'actor_id as actorId', 'action', 'repo_id as repoId', 'subject', 'details'])
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
      if (repoId !== undefined) query = query.where('repo_id', '=', repoId)
      if (before !== undefined) {
        query = query.where((eb) => eb(eb.refTuple('at', 'id'), '<', eb.tuple(before.at, before.id)))
      }
      return query.execute()
    },
  }
}
