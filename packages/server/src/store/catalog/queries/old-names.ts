/** Names that repositories had before. A living repository's name is never among them. */
import type { Kysely } from 'kysely'

import type { OldName, OldNameRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { nameKey } from '../sql-dialect.ts'
import { prepared } from './prepared.ts'

export function oldNameRows(db: Kysely<Schema>): OldNameRows {
  const keyOf = ({ registryId, type, namespace, name }: OldName) => ({
    registry_id: registryId,
    type,
    namespace_key: nameKey(namespace),
    name_key: nameKey(name),
  })
  const byName = prepared(db, (slot: ReturnType<typeof keyOf>) =>
    db
      .selectFrom('repo_old_names')
      .select('repo_id as repoId')
      .where('registry_id', '=', slot.registry_id)
      .where('type', '=', slot.type)
      .where('namespace_key', '=', slot.namespace_key)
      .where('name_key', '=', slot.name_key),
  )
  const remove = async (name: OldName): Promise<void> => {
    const key = keyOf(name)
    await db
      .deleteFrom('repo_old_names')
      .where((eb) => eb.and(key))
      .execute()
  }

  return {
    async find(name) {
      return (await byName(keyOf(name))).rows[0] ?? null
    },

    async insert(name, repoId, at, keptMax) {
      await remove(name)
      await db
        .insertInto('repo_old_names')
        .values({ ...keyOf(name), repo_id: repoId, created_at: at })
        .execute()
      const names = await db
        .selectFrom('repo_old_names')
        .select(['registry_id', 'type', 'namespace_key', 'name_key'])
        .where('repo_id', '=', repoId)
        .orderBy('created_at', 'desc')
        .orderBy('namespace_key')
        .orderBy('name_key')
        .execute()
      for (const key of names.slice(keptMax))
        await db
          .deleteFrom('repo_old_names')
          .where((eb) => eb.and(key))
          .execute()
    },

    delete: remove,
  }
}
