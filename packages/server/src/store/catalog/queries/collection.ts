/** Links that nothing names, rows that nothing refers to, and the blobs that are doomed. */
import { sql, type Kysely, type RawBuilder } from 'kysely'

import type { BlobRowKind, CollectedKind, CollectionRows, DoomedBlob, LinkKind } from '../collection-rows.ts'
import type { Schema } from '../schema.ts'

/** Values of one `in` list. */
const LIST_MAX = 500
const EMPTY_FILE = '0'.repeat(64)

/** Where the rows of each kind lie, and the columns that, joined by slashes, make the name. */
const TABLES = {
  files: { table: 'xet_files', keys: ['hash'], size: 'size_bytes', usedAt: 'created_at' },
  lfs: { table: 'lfs_objects', keys: ['oid'], size: 'size_bytes', usedAt: 'created_at' },
  xorbs: { table: 'xorbs', keys: ['hash'], size: 'stored_bytes', usedAt: 'touched_at' },
  shards: { table: 'shards', keys: ['repo_id', 'id'], size: null, usedAt: 'created_at' },
} as const satisfies Record<CollectedKind, object>

/** Whether anything refers to the row that the query calls `stored`. */
const IS_REFERENCED = {
  files: sql`exists (select 1 from repo_xet_files as link
    where link.domain_id = stored.domain_id and link.hash = stored.hash)`,
  // One that a Xet file replaced is its original until that was read back: then the migration removes it.
  lfs: sql`(exists (select 1 from repo_lfs_objects as link
      where link.domain_id = stored.domain_id and link.oid = stored.oid)
    or exists (select 1 from lfs_migrations as migration join xet_files as file
      on file.domain_id = migration.domain_id and file.hash = migration.xet_hash
      where migration.domain_id = stored.domain_id and migration.oid = stored.oid))`,
  xorbs: sql`exists (select 1 from xet_file_xorbs as term
    where term.domain_id = stored.domain_id and term.xorb_hash = stored.hash)`,
  // A shard says nothing any more when its xorbs are gone; the empty file needs none.
  shards: sql`(exists (select 1 from shard_xorbs as xorb where xorb.shard_id = stored.id)
    or exists (select 1 from repo_xet_files as link
      where link.repo_id = stored.repo_id and link.hash = ${EMPTY_FILE}))`,
} as const satisfies Record<CollectedKind, RawBuilder<unknown>>

const LINKS = {
  lfs: { table: 'repo_lfs_objects', key: 'oid' },
  xet: { table: 'repo_xet_files', key: 'hash' },
} as const satisfies Record<LinkKind, object>

export function collectionRows(db: Kysely<Schema>): CollectionRows {
  const nameOf = (kind: CollectedKind) =>
    sql.join(
      TABLES[kind].keys.map((key) => sql.ref(`stored.${key}`)),
      sql` || '/' || `,
    )
  const hasName = (kind: CollectedKind, domainId: string, name: string) => {
    const parts = partsOf(kind, name)
    const equal = TABLES[kind].keys.map((key, index) => sql`stored.${sql.ref(key)} = ${parts[index]}`)
    return sql`stored.domain_id = ${domainId} and ${sql.join(equal, sql` and `)}`
  }
  const isDoomed = (kind: CollectedKind) =>
    sql`exists (select 1 from doomed_blobs as doomed
      where doomed.kind = ${kind} and doomed.domain_id = stored.domain_id and doomed.name = ${nameOf(kind)})`
  const listed = (keys: readonly string[]) => sql.join(keys.map((key) => sql`${key}`))

  return {
    async links(repoId, kind, after, limit) {
      const rows = kind === 'lfs' ? lfsLinks(db, repoId, after, limit) : xetLinks(db, repoId, after, limit)
      return (await rows).map(({ claimed, proven, ...link }) => ({
        ...link,
        oids: [...new Set([claimed, proven])].filter((oid) => oid !== null),
      }))
    },

    async setUnreferenced(repoId, kind, keys, at) {
      const { table, key } = LINKS[kind]
      for (const slice of slices(keys))
        await sql`update ${sql.table(table)} set unreferenced_at = ${at}
          where repo_id = ${repoId} and ${sql.ref(key)} in (${listed(slice)})`.execute(db)
    },

    async linksUntil(repoId, kind, keys, at) {
      const { table, key } = LINKS[kind]
      const found: string[] = []
      for (const slice of slices(keys)) {
        const page = sql<{ key: string }>`select ${sql.ref(key)} as key from ${sql.table(table)}
          where repo_id = ${repoId} and ${sql.ref(key)} in (${listed(slice)}) and linked_at <= ${at}`
        for (const row of (await page.execute(db)).rows) found.push(row.key)
      }
      return found
    },

    async renewLinks(repoId, kind, keys, at) {
      const { table, key } = LINKS[kind]
      for (const slice of slices(keys))
        await sql`update ${sql.table(table)} set linked_at = ${at}
          where repo_id = ${repoId} and ${sql.ref(key)} in (${listed(slice)})`.execute(db)
    },

    async dropLinks(repoId, kind, keys) {
      const { table, key } = LINKS[kind]
      for (const slice of slices(keys))
        await sql`delete from ${sql.table(table)}
          where repo_id = ${repoId} and ${sql.ref(key)} in (${listed(slice)})`.execute(db)
    },

    async stored(kind, after, limit, unusedSince) {
      const { table, keys, size, usedAt } = TABLES[kind]
      const order = sql.join(['domain_id', ...keys].map((key) => sql.ref(`stored.${key}`)))
      const position = sql.join([after.domainId, ...partsOf(kind, after.name)])
      // A xorb's last use lies behind its chunk table: it is looked at only where it matters.
      const page = sql<{ domainId: string; name: string; sizeBytes: number; isUnneeded: number }>`
        select stored.domain_id as "domainId", ${nameOf(kind)} as name,
            ${size === null ? sql.lit(0) : sql.ref(size)} as "sizeBytes",
            case when ${IS_REFERENCED[kind]} then 0 when ${isDoomed(kind)} then 0
              when ${sql.ref(usedAt)} > ${unusedSince} then 0 else 1 end as "isUnneeded"
          from ${sql.table(table)} as stored
          where (${order}) > (${position}) order by ${order} limit ${limit}`
      const { rows } = await page.execute(db)
      return rows.map(({ isUnneeded, ...row }) => ({ ...row, isUnneeded: isUnneeded === 1 }))
    },

    withRow,

    remove: removeRow,

    async doom(kind, { domainId, name, sizeBytes }, at, unusedSince) {
      const { table, usedAt } = TABLES[kind]
      const insert = sql`
        insert into doomed_blobs (kind, domain_id, name, size_bytes, doomed_at)
          select ${sql.lit(kind)}, stored.domain_id, ${nameOf(kind)}, ${sql.lit(sizeBytes)}, ${sql.lit(at)}
            from ${sql.table(table)} as stored
            where ${hasName(kind, domainId, name)} and ${sql.ref(usedAt)} <= ${unusedSince}
              and not ${IS_REFERENCED[kind]} and not ${isDoomed(kind)}`
      await insert.execute(db)
    },

    async doomStray(kind, { domainId, name, sizeBytes }, at) {
      if ((await withRow(kind, domainId, [name])).has(name)) return
      const row = { kind, domain_id: domainId, name, size_bytes: sizeBytes, doomed_at: at }
      const insert = db.insertInto('doomed_blobs').values(row)
      await insert.onConflict((conflict) => conflict.doNothing()).execute()
    },

    async doomed(after, limit) {
      const { kind, domainId, name } = after ?? { kind: '', domainId: '', name: '' }
      const page = sql<DoomedBlob>`
        select kind, domain_id as "domainId", name, size_bytes as "sizeBytes", doomed_at as "doomedAt"
          from doomed_blobs where (kind, domain_id, name) > (${kind}, ${domainId}, ${name})
          order by kind, domain_id, name limit ${limit}`
      return (await page.execute(db)).rows
    },

    async countIndexed(domainId, xorbHash) {
      const query = db.selectFrom('dedup_chunks').select((eb) => eb.fn.countAll().as('count'))
      const led = query.where('domain_id', '=', domainId).where('xorb_hash', '=', xorbHash)
      return Number((await led.executeTakeFirstOrThrow()).count)
    },

    async dropIndexed(domainId, xorbHash, limit) {
      const drop = sql`delete from dedup_chunks
        where (domain_id, chunk_hash, created_at, shard_id) in (
          select domain_id, chunk_hash, created_at, shard_id from dedup_chunks
            where domain_id = ${domainId} and xorb_hash = ${xorbHash} limit ${limit})`
      return Number((await drop.execute(db)).numAffectedRows ?? 0n)
    },

    async execute({ kind, domainId, name, doomedAt }) {
      const mark = db
        .selectFrom('doomed_blobs')
        .select('doomed_at')
        .where('kind', '=', kind)
        .where('domain_id', '=', domainId)
        .where('name', '=', name)
      if ((await mark.executeTakeFirst())?.doomed_at !== doomedAt) return false
      await removeRow(kind, domainId, name)
      return !(await withRow(kind, domainId, [name])).has(name)
    },

    pardon: (kind, domainId, names) => pardon(db, kind, domainId, names),
  }

  async function withRow(
    kind: CollectedKind,
    domainId: string,
    names: readonly string[],
  ): Promise<Set<string>> {
    const { table, keys } = TABLES[kind]
    const asked = new Set(names)
    const found = new Set<string>()
    for (const slice of slices(names)) {
      const last = slice.map((name) => partsOf(kind, name).at(-1)!)
      const page = sql<{ name: string }>`select ${nameOf(kind)} as name from ${sql.table(table)} as stored
        where stored.domain_id = ${domainId} and stored.${sql.ref(keys.at(-1)!)} in (${listed(last)})`
      for (const { name } of (await page.execute(db)).rows) if (asked.has(name)) found.add(name)
    }
    return found
  }

  async function removeRow(kind: CollectedKind, domainId: string, name: string): Promise<boolean> {
    const drop = sql`delete from ${sql.table(TABLES[kind].table)} as stored
      where ${hasName(kind, domainId, name)} and not ${IS_REFERENCED[kind]}`
    return (await drop.execute(db)).numAffectedRows === 1n
  }
}

/** The values of the kind's key columns. */
function partsOf(kind: CollectedKind, name: string): string[] {
  const parts = name.split('/')
  return TABLES[kind].keys.map((_, index) => parts[index] ?? '')
}

export async function pardon(
  db: Kysely<Schema>,
  kind: BlobRowKind,
  domainId: string,
  names: readonly string[],
): Promise<void> {
  for (const slice of slices(names))
    await db
      .deleteFrom('doomed_blobs')
      .where('kind', '=', kind)
      .where('domain_id', '=', domainId)
      .where('name', 'in', slice)
      .execute()
}

interface LinkColumns {
  key: string
  claimed: string | null
  proven: string | null
  sizeBytes: number
  linkedAt: number
  unreferencedAt: number | null
}

function lfsLinks(db: Kysely<Schema>, repoId: string, after: string, limit: number): Promise<LinkColumns[]> {
  return db
    .selectFrom('repo_lfs_objects as link')
    .innerJoin('lfs_objects as object', (join) =>
      join.onRef('object.domain_id', '=', 'link.domain_id').onRef('object.oid', '=', 'link.oid'),
    )
    .select(['link.oid as key', 'link.oid as claimed', 'link.oid as proven'])
    .select(['object.size_bytes as sizeBytes', 'link.linked_at as linkedAt'])
    .select('link.unreferenced_at as unreferencedAt')
    .where('link.repo_id', '=', repoId)
    .where('link.oid', '>', after)
    .orderBy('link.oid')
    .limit(limit)
    .execute()
}

function xetLinks(db: Kysely<Schema>, repoId: string, after: string, limit: number): Promise<LinkColumns[]> {
  return db
    .selectFrom('repo_xet_files as link')
    .innerJoin('xet_files as file', (join) =>
      join.onRef('file.domain_id', '=', 'link.domain_id').onRef('file.hash', '=', 'link.hash'),
    )
    .select(['link.hash as key', 'link.sha256 as claimed', 'file.sha256 as proven'])
    .select(['file.size_bytes as sizeBytes', 'link.linked_at as linkedAt'])
    .select('link.unreferenced_at as unreferencedAt')
    .where('link.repo_id', '=', repoId)
    .where('link.hash', '>', after)
    .orderBy('link.hash')
    .limit(limit)
    .execute()
}

function* slices(keys: readonly string[]): Generator<string[]> {
  for (let start = 0; start < keys.length; start += LIST_MAX) yield keys.slice(start, start + LIST_MAX)
}
