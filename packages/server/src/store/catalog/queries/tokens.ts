/** Access tokens, found by the hash of what the client sends. */
import type { Kysely, Selectable } from 'kysely'

import type { AccountRow, TokenRow, TokenRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { prepared } from './prepared.ts'

const TOKEN_COLUMNS = [
  'tokens.id',
  'tokens.kind',
  'tokens.account_id',
  'tokens.name',
  'tokens.hash',
  'tokens.role',
  'tokens.grants',
  'tokens.created_at',
  'tokens.expires_at',
  'tokens.last_used_at',
] as const

const OWNER_COLUMNS = [
  'accounts.kind as owner_kind',
  'accounts.name as owner_name',
  'accounts.fullname as owner_fullname',
  'accounts.email as owner_email',
  'accounts.is_admin as owner_is_admin',
  'accounts.created_at as owner_created_at',
] as const

export function tokenRows(db: Kysely<Schema>): TokenRows {
  const withOwner = db
    .selectFrom('tokens')
    .innerJoin('accounts', 'accounts.id', 'tokens.account_id')
    .select(TOKEN_COLUMNS)
    .select(OWNER_COLUMNS)
  const byHash = prepared(db, (slot: { hash: string }) => withOwner.where('tokens.hash', '=', slot.hash))
  const byId = prepared(db, (slot: { id: string }) => withOwner.where('tokens.id', '=', slot.id))

  return {
    async insert(row) {
      await db
        .insertInto('tokens')
        .values({
          id: row.id,
          kind: row.kind,
          account_id: row.accountId,
          name: row.name,
          hash: row.hash,
          role: row.role,
          grants: row.grants,
          created_at: row.createdAt,
          expires_at: row.expiresAt,
          last_used_at: row.lastUsedAt,
        })
        .execute()
    },

    async getByHash(hash) {
      const row = (await byHash({ hash })).rows[0]
      return row === undefined ? null : { token: toToken(row), account: toOwner(row) }
    },

    async get(id) {
      const row = (await byId({ id })).rows[0]
      return row === undefined ? null : { token: toToken(row), account: toOwner(row) }
    },

    async list(accountId) {
      const query = db.selectFrom('tokens').select(TOKEN_COLUMNS).where('account_id', '=', accountId)
      return (await query.orderBy('created_at').orderBy('id').execute()).map(toToken)
    },

    async touch(id, lastUsedAt) {
      await db.updateTable('tokens').set({ last_used_at: lastUsedAt }).where('id', '=', id).execute()
    },

    async setHash(id, hash) {
      await db.updateTable('tokens').set({ hash }).where('id', '=', id).execute()
    },

    async delete(id) {
      await db.deleteFrom('tokens').where('id', '=', id).execute()
    },
  }
}

function toToken(row: Selectable<Schema['tokens']>): TokenRow {
  return {
    id: row.id,
    kind: row.kind,
    accountId: row.account_id,
    name: row.name,
    hash: row.hash,
    role: row.role,
    grants: row.grants,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  }
}

interface OwnedToken {
  account_id: string
  owner_kind: Schema['accounts']['kind']
  owner_name: string
  owner_fullname: string | null
  owner_email: string | null
  owner_is_admin: Schema['accounts']['is_admin']
  owner_created_at: number
}

function toOwner(row: OwnedToken): AccountRow {
  return {
    id: row.account_id,
    kind: row.owner_kind,
    name: row.owner_name,
    fullname: row.owner_fullname,
    email: row.owner_email,
    isAdmin: row.owner_is_admin === 1,
    createdAt: row.owner_created_at,
  }
}
