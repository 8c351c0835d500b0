/** What is known about repositories for lists and searches: counts, facts, tags, links. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

import { TRENDING_HALF_LIFE_MS } from '../../../limits.ts'
import type { IndexRows, RepoCounts, RepoRow } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { searchText } from '../search.ts'
import { nameKey, storable } from '../sql-dialect.ts'
import { insertSlices } from './prepared.ts'

/** Made with the repository. */
export async function insertIndexRow(db: Kysely<Schema>, repo: RepoRow): Promise<void> {
  await db
    .insertInto('repo_index')
    .values({
      repo_id: repo.id,
      registry_id: repo.registryId,
      type: repo.type,
      search_text: searchText(`${repo.namespace}/${repo.name}`, ''),
    })
    .execute()
}

/**
 * Scores are kept as the logarithm of a sum in which an event at time t weighs 2^(t / half-life): old events fade
 * against new ones without being touched, and the order of repositories never changes by itself.
 */
const SCALE = 1000
const LIKE_WEIGHT = 10
const DOWNLOAD_WEIGHT = 1

function trendingAfter(stored: number, weight: number, at: number): number {
  const now = at / TRENDING_HALF_LIFE_MS
  const before = stored === 0 ? 0 : 2 ** (stored / SCALE - now)
  const sum = before + weight
  return sum <= 0 ? 0 : Math.max(0, Math.round((Math.log2(sum) + now) * SCALE))
}

function trendingScore(stored: number, at: number): number {
  if (stored === 0) return 0
  return Math.round(2 ** (stored / SCALE - at / TRENDING_HALF_LIFE_MS))
}

export const COUNT_COLUMNS = ['likes', 'downloads', 'downloads_all_time', 'trending'] as const

export function toCounts(
  row: { likes: number; downloads: number; downloads_all_time: number; trending: number },
  at: number,
): RepoCounts {
  return {
    likes: row.likes,
    downloads: row.downloads,
    downloadsAllTime: row.downloads_all_time,
    trendingScore: trendingScore(row.trending, at),
  }
}

export function indexRows(db: Kysely<Schema>): IndexRows {
  const replaceTags = async (repoId: string, tags: readonly string[]) => {
    await db.deleteFrom('repo_tags').where('repo_id', '=', repoId).execute()
    const byKey = new Map(tags.map(storable).map((tag) => [nameKey(tag), tag]))
    const rows = [...byKey].map(([key, tag]) => ({ repo_id: repoId, tag_key: key, tag }))
    for (const slice of insertSlices(rows)) await db.insertInto('repo_tags').values(slice).execute()
  }

  return {
    async put(entry) {
      const { repoId } = entry
      const repos = db.selectFrom('repos').select(['namespace', 'name']).where('id', '=', repoId)
      const repo = await repos.executeTakeFirst()
      if (repo === undefined) return
      await db
        .updateTable('repo_index')
        .set({
          pipeline_tag: entry.pipelineTag === null ? null : storable(entry.pipelineTag),
          num_parameters: entry.numParameters,
          search_text: searchText(`${repo.namespace}/${repo.name}`, entry.text),
        })
        .where('repo_id', '=', repoId)
        .execute()
      const facts = { commit_oid: entry.commitOid, facts: entry.facts, files: entry.files }
      await db
        .insertInto('repo_facts')
        .values({ repo_id: repoId, ...facts })
        .onConflict((conflict) => conflict.column('repo_id').doUpdateSet(facts))
        .execute()
      await replaceTags(repoId, entry.tags)
      await db.deleteFrom('repo_links').where('repo_id', '=', repoId).execute()
      const links = new Map(
        entry.links.map(({ kind, target }) => [
          `${kind} ${nameKey(storable(target))}`,
          { repo_id: repoId, kind, target_key: nameKey(storable(target)) },
        ]),
      )
      for (const slice of insertSlices([...links.values()]))
        await db.insertInto('repo_links').values(slice).execute()
    },

    async facts(repoId) {
      const query = db.selectFrom('repo_facts').select(['commit_oid', 'facts', 'files'])
      const row = await query.where('repo_id', '=', repoId).executeTakeFirst()
      return row === undefined ? null : { commitOid: row.commit_oid, facts: row.facts, files: row.files }
    },

    async counts(repoId, at) {
      const query = db.selectFrom('repo_index').select(COUNT_COLUMNS).where('repo_id', '=', repoId)
      const row = await query.executeTakeFirst()
      return toCounts(row ?? { likes: 0, downloads: 0, downloads_all_time: 0, trending: 0 }, at)
    },

    async addCounts(repoId, { likes = 0, downloads = 0, downloadsAllTime = 0 }, at) {
      const query = db.selectFrom('repo_index').select('trending').where('repo_id', '=', repoId)
      const row = await query.executeTakeFirst()
      if (row === undefined) return
      const weight = likes * LIKE_WEIGHT + downloads * DOWNLOAD_WEIGHT
      await db
        .updateTable('repo_index')
        .set((eb) => ({
          likes: eb('likes', '+', likes),
          downloads: eb('downloads', '+', downloads),
          downloads_all_time: eb('downloads_all_time', '+', downloadsAllTime),
          trending: trendingAfter(row.trending, weight, at),
        }))
        .where('repo_id', '=', repoId)
        .execute()
    },

    async storedBytes(repoIds) {
      if (repoIds.length === 0) return new Map()
      const ids = sql.join([...new Set(repoIds)])
      // A file that came both ways is the same content once.
      const rows = await sql<{ id: string; bytes: number | string }>`
        select id, sum(bytes) as bytes from (
          select l.repo_id as id, l.oid as content, o.size_bytes as bytes
            from repo_lfs_objects l join lfs_objects o on o.domain_id = l.domain_id and o.oid = l.oid
            where l.repo_id in (${ids})
          union
          select x.repo_id as id, coalesce(f.sha256, x.sha256, f.hash) as content, f.size_bytes as bytes
            from repo_xet_files x join xet_files f on f.domain_id = x.domain_id and f.hash = x.hash
            where x.repo_id in (${ids})
        ) as contents group by id`.execute(db)
      return new Map(rows.rows.map(({ id, bytes }) => [id, Number(bytes)]))
    },
  }
}
