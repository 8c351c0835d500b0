/** Damaged blobs, and the rows that go when their bytes are given up. */
import type { Kysely } from 'kysely'

import type { DamageRows } from '../inventory-rows.ts'
import type { Schema } from '../schema.ts'
import { insertSlices } from './prepared.ts'

const SCRUB = 'scrub'

export function damageRows(db: Kysely<Schema>): DamageRows {
  return {
    async note({ key, problem, foundAt }) {
      await db
        .insertInto('damaged_blobs')
        .values({ key, problem, found_at: foundAt })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ problem }))
        .execute()
    },

    async clear(key) {
      await db.deleteFrom('damaged_blobs').where('key', '=', key).execute()
    },

    list(after, limit) {
      const query = db
        .selectFrom('damaged_blobs')
        .select(['key', 'problem', 'found_at as foundAt'])
        .orderBy('key')
        .limit(limit)
      return (after === null ? query : query.where('key', '>', after)).execute()
    },

    async count() {
      const query = db.selectFrom('damaged_blobs').select((eb) => eb.fn.countAll<number>().as('count'))
      return Number((await query.executeTakeFirstOrThrow()).count)
    },

    async forgetChunks({ domainId, name }) {
      for (const table of ['dedup_chunks', 'shard_xorbs'] as const)
        await db.deleteFrom(table).where('domain_id', '=', domainId).where('xorb_hash', '=', name).execute()
    },

    async drop(kind, { domainId, name }) {
      if (kind === 'lfs') {
        for (const table of ['repo_lfs_objects', 'lfs_objects'] as const)
          await db.deleteFrom(table).where('domain_id', '=', domainId).where('oid', '=', name).execute()
        return
      }
      const files = db
        .selectFrom('xet_file_xorbs')
        .select('file_hash')
        .where('domain_id', '=', domainId)
        .where('xorb_hash', '=', name)
      for (const table of ['repo_xet_files', 'xet_files'] as const)
        await db.deleteFrom(table).where('domain_id', '=', domainId).where('hash', 'in', files).execute()
      await db.deleteFrom('xorbs').where('domain_id', '=', domainId).where('hash', '=', name).execute()
    },

    async noteUses(domainId, fileHash, xorbs) {
      const uses = xorbs.map((hash) => ({ domain_id: domainId, file_hash: fileHash, xorb_hash: hash }))
      for (const slice of insertSlices(uses))
        await db
          .insertInto('xet_file_xorbs')
          .values(slice)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
    },

    async link(repoId, { domainId, name }, sha256, at) {
      await db
        .insertInto('repo_xet_files')
        .values({ repo_id: repoId, domain_id: domainId, hash: name, sha256, linked_at: at })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },

    async scrub() {
      const query = db
        .selectFrom('scrub_passes')
        .select(['after_key as after', 'started_at as startedAt'])
        .where('id', '=', SCRUB)
      return (await query.executeTakeFirst()) ?? null
    },

    async setScrub({ after, startedAt }) {
      const values = { after_key: after, started_at: startedAt }
      await db
        .insertInto('scrub_passes')
        .values({ id: SCRUB, ...values })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
        .execute()
    },
  }
}
