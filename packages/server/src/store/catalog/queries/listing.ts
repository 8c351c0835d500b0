/**
 * Lists of repositories. What the caller may not see is left out by the query itself, so a page never shrinks. The
 * ids of a page are found first, over narrow rows and in the order of an index; then the page is read.
 */
import { sql } from 'kysely'
import type { Kysely, RawBuilder, SqlBool } from 'kysely'

import { INDEXED_MATCHES_MAX } from '../../../limits.ts'
import type { ListingRows, RepoFilter, RepoSort, Visibility } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import type { SearchSql } from '../search.ts'
import { nameKey, storable } from '../sql-dialect.ts'
import { COUNT_COLUMNS, toCounts } from './index-rows.ts'
import { REPO_COLUMNS, toRepo } from './repos.ts'

type Condition = RawBuilder<SqlBool>
/** `repo_index` or `repos`: the one whose index gives the order. */
type Table = 'i' | 'r'

/** The columns that an index sorts by: value, then id. */
const ORDER: Readonly<
  Record<RepoSort, { table: Table; value: RawBuilder<unknown>; id: RawBuilder<unknown> }>
> = {
  createdAt: { table: 'r', value: sql`r.created_at`, id: sql`r.id` },
  lastModified: { table: 'r', value: sql`r.last_modified`, id: sql`r.id` },
  likes: { table: 'i', value: sql`i.likes`, id: sql`i.repo_id` },
  downloads: { table: 'i', value: sql`i.downloads`, id: sql`i.repo_id` },
  trendingScore: { table: 'i', value: sql`i.trending`, id: sql`i.repo_id` },
}

export function listingRows(db: Kysely<Schema>, search: SearchSql): ListingRows {
  const conditionsOf = async (filter: RepoFilter, table: Table): Promise<Condition> => {
    const all = [...filterConditions(filter, table)]
    for (const { ids, test } of selections(filter))
      all.push((await areFew(db, ids)) ? sql<SqlBool>`i.repo_id in (${ids})` : test)
    if (filter.words.length > 0) all.push(...(await search.conditions(db, filter.words)))
    return sql.join(all, sql` and `)
  }
  const from = sql`from repo_index i join repos r on r.id = i.repo_id`

  return {
    async page(filter, { sort, descending, after, limit }, at) {
      const { table, value, id } = ORDER[sort]
      const direction = descending ? sql`desc` : sql`asc`
      const position = after === null ? null : parsePosition(after)
      const where =
        position === null
          ? sql``
          : sql` and (${value}, ${id}) ${descending ? sql`<` : sql`>`} (${position.value}, ${position.id})`
      const ids = await sql<{ id: string; value: number }>`
        select ${id} as id, ${value} as value ${from} where ${await conditionsOf(filter, table)}${where}
        order by ${value} ${direction}, ${id} ${direction} limit ${limit + 1}`.execute(db)
      const page = ids.rows.slice(0, limit)
      const last = page.at(-1)
      const rows = await readPage(
        db,
        page.map((row) => row.id),
        at,
      )
      return {
        repos: rows,
        next: ids.rows.length > limit && last !== undefined ? `${last.value} ${last.id}` : null,
      }
    },

    async count(filter, max) {
      const found = sql`select 1 ${from} where ${await conditionsOf(filter, 'i')} limit ${max}`
      const query = sql<{ n: number | string }>`select count(*) as n from (${found}) as found`
      return Number((await query.execute(db)).rows[0]?.n ?? 0)
    },

    async tags(registryId, type, visibility, limit) {
      const rows = await sql<{ tag: string }>`
        select min(t.tag) as tag from repo_tags t join repos r on r.id = t.repo_id
        where ${sql.join(visibleConditions(registryId, type, visibility), sql` and `)}
        group by t.tag_key order by count(*) desc, t.tag_key limit ${limit}`.execute(db)
      return rows.rows.map(({ tag }) => tag)
    },

    async linking(registryId, type, visibility, kind, targets, limit) {
      if (targets.length === 0) return new Map()
      const keys = [...new Set(targets.map(keyOf))]
      const rows = await sql<{ target: string; id: string; n: number | string }>`
        select target, id, n from (
          select l.target_key as target, r.namespace || '/' || r.name as id,
            count(*) over (partition by l.target_key) as n,
            row_number() over (partition by l.target_key order by r.namespace_key, r.name_key) as place
          from repo_links l join repos r on r.id = l.repo_id
          where l.kind = ${kind} and l.target_key in (${sql.join(keys)})
            and ${sql.join(visibleConditions(registryId, type, visibility), sql` and `)}
        ) as linking where place <= ${Math.max(1, limit)} order by target, place`.execute(db)
      const found = new Map<string, { count: number; ids: string[] }>()
      for (const { target, id, n } of rows.rows) {
        const entry = found.get(target) ?? { count: Number(n), ids: [] }
        entry.ids.push(id)
        found.set(target, entry)
      }
      return new Map(
        targets.flatMap((target) => {
          const entry = found.get(keyOf(target))
          return entry === undefined ? [] : [[target, entry] as const]
        }),
      )
    },
  }
}

/** Whole rows in the order of `ids`; one that went meanwhile is left out. */
async function readPage(
  db: Kysely<Schema>,
  ids: readonly string[],
  at: number,
): Promise<Awaited<ReturnType<ListingRows['page']>>['repos']> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('repos as r')
    .innerJoin('repo_index as i', 'i.repo_id', 'r.id')
    .leftJoin('repo_facts as f', 'f.repo_id', 'r.id')
    .leftJoin('refs as h', (join) =>
      join.onRef('h.repo_id', '=', 'r.id').onRef('h.name', '=', 'r.default_ref'),
    )
    .select(REPO_COLUMNS.map((column) => `r.${column}` as const))
    .select(COUNT_COLUMNS.map((column) => `i.${column}` as const))
    .select(['f.commit_oid', 'f.facts', 'f.files', 'h.oid as head'])
    .where('r.id', 'in', ids)
    .execute()
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.flatMap((id) => {
    const row = byId.get(id)
    if (row === undefined) return []
    const facts =
      row.commit_oid === null || row.facts === null
        ? null
        : { commitOid: row.commit_oid, facts: row.facts, files: row.files }
    return [{ repo: toRepo(row), head: row.head, facts, counts: toCounts(row, at) }]
  })
}

function visibleConditions(registryId: string, type: string, visibility: Visibility): Condition[] {
  return [sql`r.registry_id = ${registryId}`, sql`r.type = ${type}`, ...visibleTo(visibility)]
}

function visibleTo(visibility: Visibility): Condition[] {
  if (visibility === 'all') return [sql`r.deleted_at is null`]
  const { ownerIds } = visibility
  const owned = ownerIds.length === 0 ? sql`` : sql` or r.owner_id in (${sql.join(ownerIds)})`
  return [sql`r.deleted_at is null`, sql`(r.private = 0${owned})`]
}

function* filterConditions(filter: RepoFilter, table: Table): Generator<Condition> {
  // Said of one table only: told twice, PostgreSQL multiplies the odds, expects one row and joins in the wrong order.
  yield sql`${sql.ref(`${table}.registry_id`)} = ${filter.registryId}`
  yield sql`${sql.ref(`${table}.type`)} = ${filter.type}`
  yield* visibleTo(filter.visibility)
  if (filter.pipelineTag !== null) yield sql`i.pipeline_tag = ${storable(filter.pipelineTag)}`
  if (filter.parameters !== null) {
    const { min, max } = filter.parameters
    yield sql`i.num_parameters is not null`
    if (min !== null) yield sql`i.num_parameters >= ${min}`
    if (max !== null) yield sql`i.num_parameters <= ${max}`
  }
}

/** Ids that an index finds, and the same said of one row. */
interface Selection {
  ids: RawBuilder<unknown>
  test: Condition
}

function* selections(filter: RepoFilter): Generator<Selection> {
  if (filter.namespace !== null) {
    const key = keyOf(filter.namespace)
    yield {
      ids: sql`select id from repos where registry_id = ${filter.registryId} and type = ${filter.type}
        and namespace_key = ${key}`,
      test: sql`r.namespace_key = ${key}`,
    }
  }
  for (const tags of [...filter.tags.map((tag) => [tag]), ...filter.anyTags]) {
    const where = tags.length === 0 ? sql`1 = 0` : sql`tag_key in (${sql.join(tags.map(keyOf))})`
    yield selectionOf(sql`repo_tags`, where)
  }
  for (const { kind, target } of filter.links)
    yield selectionOf(sql`repo_links`, sql`kind = ${kind} and target_key = ${keyOf(target)}`)
  if (filter.linked) yield selectionOf(sql`repo_links`, sql`kind in ('model', 'dataset')`)
}

function selectionOf(table: RawBuilder<unknown>, where: RawBuilder<unknown>): Selection {
  return {
    ids: sql`select repo_id from ${table} where ${where}`,
    test: sql`exists (select 1 from ${table} as s where s.repo_id = i.repo_id and ${where})`,
  }
}

/**
 * A few ids are collected first; of many a page is full soon when rows are read in their order and each is tested.
 * Neither engine can tell beforehand which it is.
 */
async function areFew(db: Kysely<Schema>, ids: RawBuilder<unknown>): Promise<boolean> {
  const probe = sql<{ n: number | string }>`
    select count(*) as n from (${ids} limit ${INDEXED_MATCHES_MAX + 1}) as found`
  return Number((await probe.execute(db)).rows[0]?.n ?? 0) <= INDEXED_MATCHES_MAX
}

/** `value id`. Positions come back signed, so an odd one is an error of ours. */
function parsePosition(text: string): { value: number; id: string } {
  const space = text.indexOf(' ')
  const value = Number(text.slice(0, space))
  if (space < 1 || !Number.isFinite(value)) throw new Error('A position in a list that nobody made')
  return { value, id: text.slice(space + 1) }
}

function keyOf(text: string): string {
  return nameKey(storable(text))
}
