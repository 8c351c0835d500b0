/**
 * Lists of repositories. What the caller may not see is left out by the query itself, so a page never shrinks. The
 * ids of a page are found first, over narrow rows and in the order of an index; then the page is read.
 */
import { sql } from 'kysely'
import type { Kysely, RawBuilder, SqlBool } from 'kysely'

import type { ListingRows, RepoFilter, RepoSort, Visibility } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import type { SearchSql } from '../search.ts'
import { nameKey, storable } from '../sql-dialect.ts'
import { COUNT_COLUMNS, toCounts } from './index-rows.ts'
import { REPO_COLUMNS, toRepo } from './repos.ts'

type Condition = RawBuilder<SqlBool>

/** The columns that an index sorts by: value, then id. */
const ORDER: Readonly<Record<RepoSort, { value: RawBuilder<unknown>; id: RawBuilder<unknown> }>> = {
  createdAt: { value: sql`r.created_at`, id: sql`r.id` },
  lastModified: { value: sql`r.last_modified`, id: sql`r.id` },
  likes: { value: sql`i.likes`, id: sql`i.repo_id` },
  downloads: { value: sql`i.downloads`, id: sql`i.repo_id` },
  trendingScore: { value: sql`i.trending`, id: sql`i.repo_id` },
}

export function listingRows(db: Kysely<Schema>, search: SearchSql): ListingRows {
  const conditionsOf = async (filter: RepoFilter): Promise<Condition> => {
    const all = [...filterConditions(filter)]
    if (filter.words.length > 0) all.push(...(await search.conditions(db, filter.words)))
    return sql.join(all, sql` and `)
  }
  const from = sql`from repo_index i join repos r on r.id = i.repo_id`

  return {
    async page(filter, { sort, descending, after, limit }, at) {
      const { value, id } = ORDER[sort]
      const direction = descending ? sql`desc` : sql`asc`
      const position = after === null ? null : parsePosition(after)
      const where =
        position === null
          ? sql``
          : sql` and (${value}, ${id}) ${descending ? sql`<` : sql`>`} (${position.value}, ${position.id})`
      const ids = await sql<{ id: string; value: number }>`
        select ${id} as id, ${value} as value ${from} where ${await conditionsOf(filter)}${where}
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
      const found = sql`select 1 ${from} where ${await conditionsOf(filter)} limit ${max}`
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
  const all: Condition[] = [
    sql`r.registry_id = ${registryId}`,
    sql`r.type = ${type}`,
    sql`r.deleted_at is null`,
  ]
  if (visibility === 'all') return all
  const { ownerIds } = visibility
  const owned = ownerIds.length === 0 ? sql`` : sql` or r.owner_id in (${sql.join(ownerIds)})`
  return [...all, sql`(r.private = 0${owned})`]
}

function* filterConditions(filter: RepoFilter): Generator<Condition> {
  // Said of both tables: whichever the order is read from has an index that begins with these two.
  yield sql`i.registry_id = ${filter.registryId}`
  yield sql`i.type = ${filter.type}`
  yield* visibleConditions(filter.registryId, filter.type, filter.visibility)
  if (filter.namespace !== null) yield sql`r.namespace_key = ${keyOf(filter.namespace)}`
  if (filter.pipelineTag !== null) yield sql`i.pipeline_tag = ${storable(filter.pipelineTag)}`
  if (filter.parameters !== null) {
    const { min, max } = filter.parameters
    yield sql`i.num_parameters is not null`
    if (min !== null) yield sql`i.num_parameters >= ${min}`
    if (max !== null) yield sql`i.num_parameters <= ${max}`
  }
  const tagged = (tags: readonly string[]): Condition =>
    tags.length === 0
      ? sql`1 = 0`
      : sql`i.repo_id in (select repo_id from repo_tags where tag_key in (${sql.join(tags.map(keyOf))}))`
  for (const tag of filter.tags) yield tagged([tag])
  for (const tags of filter.anyTags) yield tagged(tags)
  for (const { kind, target } of filter.links)
    yield sql`i.repo_id in (select repo_id from repo_links where kind = ${kind} and target_key = ${keyOf(target)})`
  if (filter.linked)
    yield sql`i.repo_id in (select repo_id from repo_links where kind in ('model', 'dataset'))`
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
