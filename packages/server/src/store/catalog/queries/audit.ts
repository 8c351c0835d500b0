/** Who did what. Rows are only ever added. */
import type { Kysely } from 'kysely'

import type { AuditRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'

export function auditRows(db: Kysely<Schema>): AuditRows {
  const selection = db
    .selectFrom('audit')
    .select(['id', 'at', 'actor_id as actorId', 'action', 'repo_id as repoId', 'subject', 'details'])

  return {
    async insert({ id, at, actorId, action, repoId, subject, details }) {
      JSON.parse(details) // Throws here rather than in whoever reads the row in a year.
      await db
        .insertInto('audit')
        .values({ id, at, actor_id: actorId, action, repo_id: repoId, subject, details })
        .execute()
    },

    async get(id) {
      return (await selection.where('id', '=', id).executeTakeFirst()) ?? null
    },

    list({ repoId, actorId, action, subject, since, before, limit }) {
      let query = selection.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit)
      if (repoId !== undefined) query = query.where('repo_id', '=', repoId)
      if (actorId !== undefined) query = query.where('actor_id', '=', actorId)
      if (subject !== undefined) query = query.where('subject', '=', subject)
      if (since !== undefined) query = query.where('at', '>=', since)
      if (action?.endsWith('.') === true)
        // Everything from `token.` to before `token/`: a range, since `like` differs between databases.
        query = query.where('action', '>=', action).where('action', '<', `${action.slice(0, -1)}/`)
      else if (action !== undefined) query = query.where('action', '=', action)
      if (before !== undefined) {
        query = query.where((eb) => eb(eb.refTuple('at', 'id'), '<', eb.tuple(before.at, before.id)))
      }
      return query.execute()
    },
  }
}
