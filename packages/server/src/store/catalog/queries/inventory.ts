/** Walks over everything that has bytes on disk. */
import { sql, type Kysely } from 'kysely'

import type { ContentKind, ContentPlace, InventoryRows, StoredBytes, XetRecipe } from '../inventory-rows.ts'
import type { Schema } from '../schema.ts'

/** The table of a kind, and what its name and size are called there. */
const COLUMNS = {
  lfs: { table: 'lfs_objects', name: 'oid', size: 'size_bytes' },
  xorbs: { table: 'xorbs', name: 'hash', size: 'stored_bytes' },
  shards: { table: 'shards', name: 'id', size: null },
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
  async function countOf(table: 'repos' | 'xet_files' | 'shards'): Promise<number> {
    const query = db.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('count'))
    return Number((await query.executeTakeFirstOrThrow()).count)
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
        from ${sql.table(table)} where ${isAfter(name, after)}
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

    async shards(after, limit) {
      const query = db
        .selectFrom('shards')
        .select(['id', 'domain_id as domainId', 'repo_id as repoId'])
        .orderBy('id')
        .limit(limit)
      return (after === null ? query : query.where('id', '>', after)).execute()
    },

    async xetFiles(after, limit) {
      const query = sql<StoredBytes & { terms: Uint8Array }>`
        select domain_id as "domainId", hash as "name", size_bytes as "sizeBytes", terms
        from xet_files where ${isAfter('hash', after)} order by domain_id, hash limit ${limit}`
      const files: XetRecipe[] = (await query.execute(db)).rows.map((row) => ({ ...row, xorbs: new Set() }))
      const byPlace = new Map(files.map((file) => [`${file.domainId}/${file.name}`, file]))
      const first = files[0]
      const last = files.at(-1)
      if (first === undefined || last === undefined) return files
      const uses = sql<{ domain: string; file: string; xorb: string }>`
        select domain_id as domain, file_hash as file, xorb_hash as xorb from xet_file_xorbs
        where (domain_id, file_hash) >= (${first.domainId}, ${first.name})
          and (domain_id, file_hash) <= (${last.domainId}, ${last.name})`
      for (const { domain, file, xorb } of (await uses.execute(db)).rows)
        byPlace.get(`${domain}/${file}`)?.xorbs.add(xorb)
      return files
    },

    async unprovenFiles(after, limit) {
      const query = sql<ContentPlace & { terms: Uint8Array }>`
        select domain_id as "domainId", hash as "name", terms from xet_files
        where sha256 is null and ${isAfter('hash', after)} order by domain_id, hash limit ${limit}`
      return (await query.execute(db)).rows
    },

    async provenFiles(domainId, oids) {
      if (oids.length === 0) return new Map()
      const rows = await db
        .selectFrom('xet_files')
        .select(['sha256', 'domain_id as domainId', 'hash as name'])
        .where('sha256', 'in', oids)
        .where('domain_id', '=', domainId)
        .execute()
      return new Map(rows.map(({ sha256, ...place }) => [sha256!, place]))
    },

    async totals() {
      return {
        lfs: await total('lfs'),
        xorbs: await total('xorbs'),
        repos: await countOf('repos'),
        xetFiles: await countOf('xet_files'),
        shards: await countOf('shards'),
      }
    },

    async usersOf(kind, { domainId, name }, limit) {
      if (kind === 'lfs')
        return db
          .selectFrom('repo_lfs_objects')
          .select(['repo_id as repoId', 'oid'])
          .where('domain_id', '=', domainId)
          .where('oid', '=', name)
          .limit(limit)
          .execute()
      const rows = await db
        .selectFrom('xet_file_xorbs as use')
        .innerJoin('repo_xet_files as link', (join) =>
          join.onRef('link.domain_id', '=', 'use.domain_id').onRef('link.hash', '=', 'use.file_hash'),
        )
        .innerJoin('xet_files as file', (join) =>
          join.onRef('file.domain_id', '=', 'use.domain_id').onRef('file.hash', '=', 'use.file_hash'),
        )
        .select(['link.repo_id as repoId', 'link.hash', 'file.sha256 as proven', 'link.sha256 as claimed'])
        .where('use.domain_id', '=', domainId)
        .where('use.xorb_hash', '=', name)
        .limit(limit)
        .execute()
      return rows.map(({ repoId, hash, proven, claimed }) => ({ repoId, oid: proven ?? claimed ?? hash }))
    },
  }
}

function isAfter(name: string, after: ContentPlace | null) {
  if (after === null) return sql`1 = 1`
  return sql`(domain_id, ${sql.ref(name)}) > (${after.domainId}, ${after.name})`
}
