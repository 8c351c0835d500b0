/** Users, organizations and who belongs to which. */
import type { Kysely, Selectable } from 'kysely'

import type { AccountRow, AccountRows, OrgRole } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { flag, nameKey } from '../sql-dialect.ts'
import { prepared } from './prepared.ts'

type StoredAccount = Omit<Selectable<Schema['accounts']>, 'name_key'>

export const ACCOUNT_COLUMNS = [
  'accounts.id',
  'accounts.kind',
  'accounts.name',
  'accounts.fullname',
  'accounts.email',
  'accounts.is_admin',
  'accounts.created_at',
] as const

export function toAccount(row: StoredAccount): AccountRow {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    fullname: row.fullname,
    email: row.email,
    isAdmin: row.is_admin === 1,
    createdAt: row.created_at,
  }
}

export function accountRows(db: Kysely<Schema>): AccountRows {
  const byId = prepared(db, (slot: { id: string }) =>
    db.selectFrom('accounts').select(ACCOUNT_COLUMNS).where('id', '=', slot.id),
  )
  const byName = prepared(db, (slot: { key: string }) =>
    db.selectFrom('accounts').select(ACCOUNT_COLUMNS).where('name_key', '=', slot.key),
  )
  const roleOf = prepared(db, (slot: { orgId: string; userId: string }) =>
    db
      .selectFrom('org_members')
      .select('role')
      .where('org_id', '=', slot.orgId)
      .where('user_id', '=', slot.userId),
  )

  return {
    async insert(row) {
      await db
        .insertInto('accounts')
        .values({
          id: row.id,
          kind: row.kind,
          name: row.name,
          name_key: nameKey(row.name),
          fullname: row.fullname,
          email: row.email,
          is_admin: flag(row.isAdmin),
          created_at: row.createdAt,
        })
        .execute()
    },

    async update(id, { fullname, email, isAdmin }) {
      const change = {
        ...(fullname !== undefined && { fullname }),
        ...(email !== undefined && { email }),
        ...(isAdmin !== undefined && { is_admin: flag(isAdmin) }),
      }
      if (Object.keys(change).length === 0) return
      await db.updateTable('accounts').set(change).where('id', '=', id).execute()
    },

    async get(id) {
      const row = (await byId({ id })).rows[0]
      return row === undefined ? null : toAccount(row)
    },

    async getByName(name) {
      const row = (await byName({ key: nameKey(name) })).rows[0]
      return row === undefined ? null : toAccount(row)
    },

    async list(kind) {
      const query = db.selectFrom('accounts').select(ACCOUNT_COLUMNS).where('kind', '=', kind)
      return (await query.orderBy('name_key').execute()).map(toAccount)
    },

    async delete(id) {
      await db.deleteFrom('accounts').where('id', '=', id).execute()
    },

    async setMember({ orgId, userId, role }) {
      await db
        .insertInto('org_members')
        .values({ org_id: orgId, user_id: userId, role })
        .onConflict((conflict) => conflict.columns(['org_id', 'user_id']).doUpdateSet({ role }))
        .execute()
    },

    async removeMember(orgId, userId) {
      await db.deleteFrom('org_members').where('org_id', '=', orgId).where('user_id', '=', userId).execute()
    },

    async role(orgId, userId): Promise<OrgRole | null> {
      return (await roleOf({ orgId, userId })).rows[0]?.role ?? null
    },

    async orgsOf(userId) {
      const rows = await db
        .selectFrom('org_members')
        .innerJoin('accounts', 'accounts.id', 'org_members.org_id')
        .select(ACCOUNT_COLUMNS)
        .select('role')
        .where('org_members.user_id', '=', userId)
        .orderBy('name_key')
        .execute()
      return rows.map((row) => ({ org: toAccount(row), role: row.role }))
    },

    async membersOf(orgId) {
      const rows = await db
        .selectFrom('org_members')
        .innerJoin('accounts', 'accounts.id', 'org_members.user_id')
        .select(ACCOUNT_COLUMNS)
        .select('role')
        .where('org_members.org_id', '=', orgId)
        .orderBy('name_key')
        .execute()
      return rows.map((row) => ({ user: toAccount(row), role: row.role }))
    },
  }
}
