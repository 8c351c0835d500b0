/** Who likes which repository. */
import type { Kysely } from 'kysely'

import type { LikeRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { ACCOUNT_COLUMNS, toAccount } from './accounts.ts'
import { REPO_COLUMNS, toRepo } from './repos.ts'

export function likeRows(db: Kysely<Schema>): LikeRows {
  return {
    async insert({ userId, repoId, createdAt }) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('likes')
        .values({ user_id: userId, repo_id: repoId, created_at: createdAt })
        .onConflict((conflict) => conflict.columns(['user_id', 'repo_id']).doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },

    async delete(userId, repoId) {
      const query = db.deleteFrom('likes').where('user_id', '=', userId).where('repo_id', '=', repoId)
      return (await query.executeTakeFirstOrThrow()).numDeletedRows === 1n
    },

    async count(repoId) {
      const query = db.selectFrom('likes').select((eb) => eb.fn.countAll().as('count'))
      return Number((await query.where('repo_id', '=', repoId).executeTakeFirstOrThrow()).count)
    },

    async countPublic(userId) {
      const query = db
        .selectFrom('likes')
        .innerJoin('repos', 'repos.id', 'likes.repo_id')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('likes.user_id', '=', userId)
        .where('repos.deleted_at', 'is', null)
        .where('repos.private', '=', 0)
      return Number((await query.executeTakeFirstOrThrow()).count)
    },

    async likersOf(repoId, before, limit) {
      let query = db
        .selectFrom('likes')
        .innerJoin('accounts', 'accounts.id', 'likes.user_id')
        .select(ACCOUNT_COLUMNS)
        .select('likes.created_at as liked_at')
        .where('likes.repo_id', '=', repoId)
      if (before !== null)
        query = query.where((eb) =>
          eb.or([
            eb('likes.created_at', '<', before.at),
            eb.and([eb('likes.created_at', '=', before.at), eb('likes.user_id', '<', before.id)]),
          ]),
        )
      const newest = query.orderBy('likes.created_at', 'desc').orderBy('likes.user_id', 'desc').limit(limit)
      return (await newest.execute()).map(({ liked_at: at, ...user }) => ({ user: toAccount(user), at }))
    },

    async likedBy({ userId, registryId, visibility }, before, limit) {
      let query = db
        .selectFrom('likes')
        .innerJoin('repos', 'repos.id', 'likes.repo_id')
        .select(REPO_COLUMNS.map((column) => `repos.${column}` as const))
        .select('likes.created_at as liked_at')
        .where('likes.user_id', '=', userId)
        .where('repos.registry_id', '=', registryId)
        .where('repos.deleted_at', 'is', null)
      if (visibility !== 'all')
        query = query.where((eb) => {
          const { ownerIds } = visibility
          const own = ownerIds.length === 0 ? [] : [eb('repos.owner_id', 'in', ownerIds)]
          return eb.or([eb('repos.private', '=', 0), ...own])
        })
      if (before !== null)
        query = query.where((eb) =>
          eb.or([
            eb('likes.created_at', '<', before.at),
            eb.and([eb('likes.created_at', '=', before.at), eb('likes.repo_id', '<', before.id)]),
          ]),
        )
      const newest = query.orderBy('likes.created_at', 'desc').orderBy('likes.repo_id', 'desc').limit(limit)
      return (await newest.execute()).map(({ liked_at: at, ...repo }) => ({ repo: toRepo(repo), at }))
    },
  }
}
