/** Commits that must outlive every ref that pointed at them. */
import type { Kysely } from 'kysely'

import type { RetainedCommitRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'

export function retainedCommitRows(db: Kysely<Schema>): RetainedCommitRows {
  return {
    async insert({ repoId, oid, reason, createdAt }) {
      await db
        .insertInto('retained_commits')
        .values({ repo_id: repoId, oid, reason, created_at: createdAt })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },

    list: (repoId) =>
      db
        .selectFrom('retained_commits')
        .select(['oid', 'reason'])
        .where('repo_id', '=', repoId)
        .orderBy('created_at')
        .orderBy('oid')
        .orderBy('reason')
        .execute(),
  }
}
