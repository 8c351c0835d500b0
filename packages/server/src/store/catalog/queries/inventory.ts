/** Walks over everything that has bytes on disk. */
import { sql, type Kysely } from 'kysely'

import type { ContentKind, ContentPlace, InventoryRows, StoredBytes } from '../inventory-rows.ts'
import type { Schema } from '../schema.ts'

/** The table of a kind, and what its name and size are called there. */
const COLUMNS = {
  lfs: { table: 'lfs_objects', name: 'oid', size: 'size_bytes' },
  xorbs: { table: 'xorbs', name: 'hash', size: 'stored_bytes' },
} as const

export function inventoryRows(db: Kysely<Schema>): InventoryRows {
  async function total(kind: ContentKind): Promise<{ count: number; sizeBytes: number }> {
    const { table, size } = COLUMNS[kind]
    const query = sql<{
      count: number
      size: number
    }>`select count(*) as count, coalesce(sum(${sql.ref(size)}), 0) as size from ${sql.table(table)}`
    const row = (await query.execute(db)).rows[0]!
    return { count: Number(row.count), sizeBytes: Number(row.size) }
  }

  return {
    async repoIds(after, limit) {
      const query = db.selectFrom('repos').select('id').orderBy('id').limit(limit)
      const rows = await (after === null ? query : query.where('id', '>', after)).execute()
      return rows.map(({ id }) => id)
    },

    async knownRepos(ids) {
      if (ids.length === 0) return new Set()
      const rows = await db.selectFrom('repos').select('id').where('id', 'in', ids).execute()
      return new Set(rows.map(({ id }) => id))
    },

    async contents(kind, after, limit) {
      const { table, name, size } = COLUMNS[kind]
      const query = sql<StoredBytes>`
        select domain_id as "domainId", ${sql.ref(name)} as "name", ${sql.ref(size)} as "sizeBytes"
        from ${sql.table(table)}${strictlyAfter(name, after)}
        order by domain_id, ${sql.ref(name)} limit ${limit}`
      return (await query.execute(db)).rows
    },

    async knownContents(kind, domainId, names) {
      if (names.length === 0) return new Set()
      const { table, name } = COLUMNS[kind]
      const query = sql<{ name: string }>`
        select ${sql.ref(name)} as "name" from ${sql.table(table)}
        where domain_id = ${domainId} and ${sql.ref(name)} in (${sql.join(names)})`
      return new Set((await query.execute(db)).rows.map((row) => row.name))
    },

    async totals() {
      const { count } = await db
        .selectFrom('repos')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return { lfs: await total('lfs'), xorbs: await total('xorbs'), repos: Number(count) }
    },
  }
}

function strictlyAfter(name: string, after: ContentPlace | null) {
  if (after === null) return sql``
  return sql` where (domain_id, ${sql.ref(name)}) > (${after.domainId}, ${after.name})`
}
