/** Refs: the truth about where branches and tags point. */
import type { Kysely } from 'kysely'

import type { RefRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { prepared } from './prepared.ts'

const COLUMNS = ['repo_id as repoId', 'name', 'oid', 'updated_at as updatedAt'] as const

interface Swap {
  repoId: string
  name: string
  old: string
  next: string
  at: number
}

export function refRows(db: Kysely<Schema>): RefRows {
  const ofRepo = (repoId: string) => db.selectFrom('refs').select(COLUMNS).where('repo_id', '=', repoId)
  const one = prepared(db, (slot: { repoId: string; name: string }) =>
    ofRepo(slot.repoId).where('name', '=', slot.name),
  )
  const all = prepared(db, (slot: { repoId: string }) => ofRepo(slot.repoId).orderBy('name'))
  const create = prepared(db, (slot: Omit<Swap, 'old'>) =>
    db
      .insertInto('refs')
      .values({ repo_id: slot.repoId, name: slot.name, oid: slot.next, updated_at: slot.at })
      .onConflict((conflict) => conflict.columns(['repo_id', 'name']).doNothing()),
  )
  const move = prepared(db, (slot: Swap) =>
    db
      .updateTable('refs')
      .set({ oid: slot.next, updated_at: slot.at })
      .where('repo_id', '=', slot.repoId)
      .where('name', '=', slot.name)
      .where('oid', '=', slot.old),
  )
  const remove = prepared(db, (slot: { repoId: string; name: string; old: string }) =>
    db
      .deleteFrom('refs')
      .where('repo_id', '=', slot.repoId)
      .where('name', '=', slot.name)
      .where('oid', '=', slot.old),
  )

  return {
    async get(repoId, name) {
      return (await one({ repoId, name })).rows[0] ?? null
    },

    async list(repoId) {
      return (await all({ repoId })).rows
    },

    async swap(repoId, name, old, next, at) {
      if (old === null && next === null) return (await one({ repoId, name })).rows.length === 0
      const result =
        old === null
          ? await create({ repoId, name, next: next!, at })
          : next === null
            ? await remove({ repoId, name, old })
            : await move({ repoId, name, old, next, at })
      return result.numAffectedRows === 1n
    },
  }
}
