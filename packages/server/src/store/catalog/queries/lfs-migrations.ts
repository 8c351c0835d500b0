/** LFS objects on their way to becoming Xet files. Asked for by a job, one by one, so nothing is prepared. */
import type { Kysely } from 'kysely'

import type { LfsMigrationRows } from '../lfs-migration-rows.ts'
import type { Schema } from '../schema.ts'

export function lfsMigrationRows(db: Kysely<Schema>): LfsMigrationRows {
  const migrations = db
    .selectFrom('lfs_migrations as m')
    .innerJoin('lfs_objects as object', (join) =>
      join.onRef('object.domain_id', '=', 'm.domain_id').onRef('object.oid', '=', 'm.oid'),
    )
    .select(['m.domain_id as domainId', 'm.oid', 'object.size_bytes as sizeBytes', 'm.attempts'])
    .select(['m.replaced_at as replacedAt', 'm.xet_hash as xetHash'])

  /** Those of which the repository has the object, or what it was replaced by. */
  function of(repoId: string | null): typeof migrations {
    if (repoId === null) return migrations
    return migrations.where((eb) =>
      eb.or([
        eb.exists(
          eb
            .selectFrom('repo_lfs_objects as link')
            .select('link.oid')
            .where('link.repo_id', '=', repoId)
            .whereRef('link.oid', '=', 'm.oid')
            .whereRef('link.domain_id', '=', 'm.domain_id'),
        ),
        eb.exists(
          eb
            .selectFrom('repo_xet_files as link')
            .select('link.hash')
            .where('link.repo_id', '=', repoId)
            .whereRef('link.hash', '=', 'm.xet_hash')
            .whereRef('link.domain_id', '=', 'm.domain_id'),
        ),
      ]),
    )
  }

  return {
    async insert({ domainId, oid }, receivedAt) {
      const anew = { received_at: receivedAt, not_before: 0, attempts: 0, replaced_at: null, xet_hash: null }
      await db
        .insertInto('lfs_migrations')
        .values({ domain_id: domainId, oid, ...anew })
        .onConflict((conflict) =>
          conflict
            .columns(['domain_id', 'oid'])
            .doUpdateSet(anew)
            .where('lfs_migrations.replaced_at', 'is not', null),
        )
        .execute()
    },

    async get({ domainId, oid }) {
      const one = migrations.where('m.domain_id', '=', domainId).where('m.oid', '=', oid)
      return (await one.executeTakeFirst()) ?? null
    },

    async nextToReplace(receivedUntil, now) {
      const waiting = migrations
        .where('m.replaced_at', 'is', null)
        .where('m.received_at', '<=', receivedUntil)
      const due = waiting.where('m.not_before', '<=', now).orderBy('m.received_at').limit(1)
      return (await due.executeTakeFirst()) ?? null
    },

    async nextToRemove(replacedUntil, now) {
      const replaced = migrations
        .where('m.replaced_at', 'is not', null)
        .where('m.replaced_at', '<=', replacedUntil)
      const due = replaced.where('m.not_before', '<=', now).orderBy('m.replaced_at').limit(1)
      return (await due.executeTakeFirst()) ?? null
    },

    async list(repoId, after, limit) {
      let query = of(repoId).orderBy('m.domain_id').orderBy('m.oid').limit(limit)
      if (after !== null)
        query = query.where((eb) =>
          eb(eb.refTuple('m.domain_id', 'm.oid'), '>', eb.tuple(after.domainId, after.oid)),
        )
      return query.execute()
    },

    async count(repoId) {
      const query = of(repoId)
        .clearSelect()
        .select((eb) => eb.fn.countAll().as('count'))
      return Number((await query.executeTakeFirstOrThrow()).count)
    },

    async repoIds({ domainId, oid }) {
      const links = db.selectFrom('repo_lfs_objects').select('repo_id').where('domain_id', '=', domainId)
      return (await links.where('oid', '=', oid).orderBy('repo_id').execute()).map((row) => row.repo_id)
    },

    async provenFile({ domainId, oid }) {
      const files = db.selectFrom('xet_files').select('hash').where('domain_id', '=', domainId)
      const proven = files.where('sha256', '=', oid).orderBy('term_count').orderBy('hash').limit(1)
      return (await proven.executeTakeFirst())?.hash ?? null
    },

    async recipe({ domainId, oid }) {
      const file = await db
        .selectFrom('lfs_migrations as m')
        .innerJoin('xet_files as file', (join) =>
          join.onRef('file.domain_id', '=', 'm.domain_id').onRef('file.hash', '=', 'm.xet_hash'),
        )
        .select(['file.domain_id as domainId', 'file.terms'])
        .where('m.domain_id', '=', domainId)
        .where('m.oid', '=', oid)
        .executeTakeFirst()
      return file ?? null
    },

    async replace({ domainId, oid }, xetHash, at) {
      const links = db
        .selectFrom('repo_lfs_objects')
        .select(['repo_id', 'domain_id', (eb) => eb.val(xetHash).as('hash'), 'oid as sha256'])
        .select(['linked_at', 'unreferenced_at'])
        .where('domain_id', '=', domainId)
        .where('oid', '=', oid)
      await db
        .insertInto('repo_xet_files')
        .columns(['repo_id', 'domain_id', 'hash', 'sha256', 'linked_at', 'unreferenced_at'])
        .expression(links)
        // A repository that has the file by another sha256 has it by the right one now.
        .onConflict((conflict) =>
          conflict.columns(['repo_id', 'hash']).doUpdateSet((eb) => ({
            domain_id: eb.ref('excluded.domain_id'),
            sha256: eb.ref('excluded.sha256'),
          })),
        )
        .execute()
      const unlink = db.deleteFrom('repo_lfs_objects').where('domain_id', '=', domainId)
      await unlink.where('oid', '=', oid).execute()
      const replaced = { replaced_at: at, xet_hash: xetHash, attempts: 0, not_before: 0 }
      const mark = db.updateTable('lfs_migrations').set(replaced).where('domain_id', '=', domainId)
      await mark.where('oid', '=', oid).execute()
    },

    async postpone({ domainId, oid }, until) {
      const set = db
        .updateTable('lfs_migrations')
        .set((eb) => ({ attempts: eb('attempts', '+', 1), not_before: until }))
      await set.where('domain_id', '=', domainId).where('oid', '=', oid).execute()
    },

    async remove({ domainId, oid }) {
      const { numDeletedRows } = await db
        .deleteFrom('lfs_objects')
        .where('domain_id', '=', domainId)
        .where('oid', '=', oid)
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('repo_lfs_objects as link')
                .select('link.oid')
                .whereRef('link.domain_id', '=', 'lfs_objects.domain_id')
                .whereRef('link.oid', '=', 'lfs_objects.oid'),
            ),
          ),
        )
        .executeTakeFirstOrThrow()
      return numDeletedRows > 0n
    },
  }
}
