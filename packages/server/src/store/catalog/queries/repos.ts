/** Repositories. A deleted one keeps its row but not its name: the unique index looks at living ones only. */
import type { Kysely, Selectable } from 'kysely'

import type { RepoRow, RepoRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { flag, nameKey } from '../sql-dialect.ts'
import { insertIndexRow } from './index-rows.ts'
import { prepared } from './prepared.ts'

export const REPO_COLUMNS = [
  'id',
  'registry_id',
  'owner_id',
  'domain_id',
  'type',
  'namespace',
  'name',
  'private',
  'disabled',
  'default_ref',
  'sdk',
  'lfs_multipart_above_bytes',
  'created_by',
  'created_at',
  'last_modified',
  'refs_dirty',
  'deleted_at',
] as const

export function repoRows(db: Kysely<Schema>): RepoRows {
  const living = db.selectFrom('repos').select(REPO_COLUMNS).where('deleted_at', 'is', null)
  const byId = prepared(db, (slot: { id: string }) =>
    db.selectFrom('repos').select(REPO_COLUMNS).where('id', '=', slot.id),
  )
  const byName = prepared(
    db,
    (slot: { registryId: string; type: RepoRow['type']; namespaceKey: string; nameKey: string }) =>
      living
        .where('registry_id', '=', slot.registryId)
        .where('type', '=', slot.type)
        .where('namespace_key', '=', slot.namespaceKey)
        .where('name_key', '=', slot.nameKey),
  )

  return {
    async insert(row) {
      await db
        .insertInto('repos')
        .values({
          id: row.id,
          registry_id: row.registryId,
          owner_id: row.ownerId,
          domain_id: row.domainId,
          type: row.type,
          namespace: row.namespace,
          namespace_key: nameKey(row.namespace),
          name: row.name,
          name_key: nameKey(row.name),
          private: flag(row.private),
          disabled: flag(row.disabled),
          default_ref: row.defaultRef,
          sdk: row.sdk,
          lfs_multipart_above_bytes: row.lfsMultipartAboveBytes,
          created_by: row.createdBy,
          created_at: row.createdAt,
          last_modified: row.lastModified,
          refs_dirty: flag(row.refsDirty),
          deleted_at: row.deletedAt,
        })
        .execute()
      await insertIndexRow(db, row)
    },

    async update(id, change) {
      const set = {
        ...(change.private !== undefined && { private: flag(change.private) }),
        ...(change.disabled !== undefined && { disabled: flag(change.disabled) }),
        ...(change.refsDirty !== undefined && { refs_dirty: flag(change.refsDirty) }),
        ...(change.lastModified !== undefined && { last_modified: change.lastModified }),
        ...(change.sdk !== undefined && { sdk: change.sdk }),
      }
      if (Object.keys(set).length === 0) return
      await db.updateTable('repos').set(set).where('id', '=', id).execute()
    },

    async get(id) {
      const row = (await byId({ id })).rows[0]
      return row === undefined ? null : toRepo(row)
    },

    async getByName(registryId, type, namespace, name) {
      const keys = { registryId, type, namespaceKey: nameKey(namespace), nameKey: nameKey(name) }
      const row = (await byName(keys)).rows[0]
      return row === undefined ? null : toRepo(row)
    },

    async listByOwner(ownerId) {
      const query = living.where('owner_id', '=', ownerId)
      const byKey = query.orderBy('namespace_key').orderBy('name_key').orderBy('type').orderBy('id')
      return (await byKey.execute()).map(toRepo)
    },

    async list(registryId, after, limit) {
      let query = living.orderBy('id').limit(limit)
      if (registryId !== null) query = query.where('registry_id', '=', registryId)
      return (await (after === null ? query : query.where('id', '>', after)).execute()).map(toRepo)
    },

    async count(registryId, after) {
      let query = db
        .selectFrom('repos')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('deleted_at', 'is', null)
      if (registryId !== null) query = query.where('registry_id', '=', registryId)
      if (after !== null) query = query.where('id', '>', after)
      return Number((await query.executeTakeFirstOrThrow()).count)
    },

    async listDirty() {
      const dirty = db.selectFrom('repos').select('id').where('deleted_at', 'is', null)
      // A literal, not a parameter: only then does the partial index apply.
      const query = dirty.where((eb) => eb('refs_dirty', '=', eb.lit(1))).orderBy('id')
      return (await query.execute()).map((row) => row.id)
    },

    async listDeleted() {
      const query = db.selectFrom('repos').select('id').where('deleted_at', 'is not', null).orderBy('id')
      return (await query.execute()).map((row) => row.id)
    },

    async listDeletedUntil(at, limit) {
      const query = db.selectFrom('repos').select(REPO_COLUMNS).where('deleted_at', 'is not', null)
      const due = query.where('deleted_at', '<=', at).orderBy('deleted_at').orderBy('id').limit(limit)
      return (await due.execute()).map(toRepo)
    },

    async listDeletedByName({ registryId, type, namespace, name }) {
      const query = db.selectFrom('repos').select(REPO_COLUMNS).where('deleted_at', 'is not', null)
      const named = query
        .where('registry_id', '=', registryId)
        .where('type', '=', type)
        .where('namespace_key', '=', nameKey(namespace))
        .where('name_key', '=', nameKey(name))
      return (await named.orderBy('deleted_at', 'desc').orderBy('id').execute()).map(toRepo)
    },

    async restore(id, { namespace, name }) {
      const set = {
        deleted_at: null,
        namespace,
        namespace_key: nameKey(namespace),
        name,
        name_key: nameKey(name),
      }
      await db.updateTable('repos').set(set).where('id', '=', id).execute()
    },

    async move(id, { ownerId, domainId, namespace, name }) {
      const key = { namespace_key: nameKey(namespace), name_key: nameKey(name) }
      const set = { owner_id: ownerId, domain_id: domainId, namespace, name, ...key }
      await db.updateTable('repos').set(set).where('id', '=', id).execute()
    },

    async markDeleted(id, at) {
      const query = db.updateTable('repos').set({ deleted_at: at }).where('id', '=', id)
      await query.where('deleted_at', 'is', null).execute()
    },

    async purge(id) {
      await db.deleteFrom('repos').where('id', '=', id).execute()
    },
  }
}

export function toRepo(row: Omit<Selectable<Schema['repos']>, 'namespace_key' | 'name_key'>): RepoRow {
  return {
    id: row.id,
    registryId: row.registry_id,
    ownerId: row.owner_id,
    domainId: row.domain_id,
    type: row.type,
    namespace: row.namespace,
    name: row.name,
    private: row.private === 1,
    disabled: row.disabled === 1,
    defaultRef: row.default_ref,
    sdk: row.sdk,
    lfsMultipartAboveBytes: row.lfs_multipart_above_bytes,
    createdBy: row.created_by,
    createdAt: row.created_at,
    lastModified: row.last_modified,
    refsDirty: row.refs_dirty === 1,
    deletedAt: row.deleted_at,
  }
}
