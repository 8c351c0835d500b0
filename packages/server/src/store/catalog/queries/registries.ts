/** Registries, each found by its organization's name and its own. */
import type { Kysely } from 'kysely'

import type { RegistryRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { nameKey } from '../sql-dialect.ts'
import { prepared } from './prepared.ts'

const COLUMNS = [
  'registries.id',
  'registries.org_id as orgId',
  'registries.slug',
  'registries.created_at as createdAt',
] as const

export function registryRows(db: Kysely<Schema>): RegistryRows {
  const byId = prepared(db, (slot: { id: string }) =>
    db.selectFrom('registries').select(COLUMNS).where('id', '=', slot.id),
  )
  const bySlug = prepared(db, (slot: { orgKey: string; slugKey: string }) =>
    db
      .selectFrom('registries')
      .innerJoin('accounts', 'accounts.id', 'registries.org_id')
      .select(COLUMNS)
      .select('accounts.name as orgName')
      .where('accounts.name_key', '=', slot.orgKey)
      .where('registries.slug_key', '=', slot.slugKey),
  )

  return {
    async insert({ id, orgId, slug, createdAt }) {
      await db
        .insertInto('registries')
        .values({ id, org_id: orgId, slug, slug_key: nameKey(slug), created_at: createdAt })
        .execute()
    },

    async get(id) {
      return (await byId({ id })).rows[0] ?? null
    },

    async getBySlug(orgName, slug) {
      return (await bySlug({ orgKey: nameKey(orgName), slugKey: nameKey(slug) })).rows[0] ?? null
    },

    list: () =>
      db
        .selectFrom('registries')
        .leftJoin('accounts', 'accounts.id', 'registries.org_id')
        .select(COLUMNS)
        .select('accounts.name as orgName')
        .orderBy('accounts.name_key', (order) => order.asc().nullsFirst())
        .orderBy('slug_key')
        .execute(),

    async delete(id) {
      await db.deleteFrom('registries').where('id', '=', id).execute()
    },
  }
}
