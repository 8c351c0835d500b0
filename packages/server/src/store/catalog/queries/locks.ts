/** Which paths of a repository git-lfs users have locked. */
import type { Kysely } from 'kysely'

import type { LfsLock, LfsLockRows } from '../lock-rows.ts'
import type { Schema } from '../schema.ts'

export function lfsLockRows(db: Kysely<Schema>): LfsLockRows {
  const locks = (repoId: string) =>
    db
      .selectFrom('lfs_locks as l')
      .innerJoin('accounts as a', 'a.id', 'l.owner_id')
      .select(['l.id', 'l.repo_id', 'l.path', 'l.owner_id', 'l.locked_at', 'a.name'])
      .where('l.repo_id', '=', repoId)

  return {
    async insert({ id, repoId, path, ownerId, lockedAt }) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('lfs_locks')
        .values({ id, repo_id: repoId, path, owner_id: ownerId, locked_at: lockedAt })
        .onConflict((conflict) => conflict.columns(['repo_id', 'path']).doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },

    async get(repoId, id) {
      const row = await locks(repoId).where('l.id', '=', id).executeTakeFirst()
      return row === undefined ? null : toLock(row)
    },

    async getByPath(repoId, path) {
      const row = await locks(repoId).where('l.path', '=', path).executeTakeFirst()
      return row === undefined ? null : toLock(row)
    },

    async list(repoId, after, limit) {
      const page = after === null ? locks(repoId) : locks(repoId).where('l.id', '>', after)
      return (await page.orderBy('l.id').limit(limit).execute()).map(toLock)
    },

    async count(repoId) {
      const query = db.selectFrom('lfs_locks').select((eb) => eb.fn.countAll().as('count'))
      return Number((await query.where('repo_id', '=', repoId).executeTakeFirstOrThrow()).count)
    },

    async delete(repoId, id) {
      const query = db.deleteFrom('lfs_locks').where('repo_id', '=', repoId).where('id', '=', id)
      return (await query.executeTakeFirstOrThrow()).numDeletedRows === 1n
    },
  }
}

function toLock(row: Schema['lfs_locks'] & { name: string }): LfsLock {
  return {
    id: row.id,
    repoId: row.repo_id,
    path: row.path,
    ownerId: row.owner_id,
    ownerName: row.name,
    lockedAt: Number(row.locked_at),
  }
}
