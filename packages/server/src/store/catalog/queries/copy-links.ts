/** One repository gets the rights that another has, in steps small enough for a transaction each. */
import type { Kysely } from 'kysely'

import type { LinkPosition } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { insertSlices } from './prepared.ts'

export async function copyLinks(
  db: Kysely<Schema>,
  fromRepoId: string,
  toRepoId: string,
  after: LinkPosition | null,
  limit: number,
): Promise<LinkPosition | null> {
  const kind = after?.kind ?? 'lfs'
  const key = after?.key ?? ''
  const found =
    kind === 'lfs'
      ? await copyLfs(db, fromRepoId, toRepoId, key, limit)
      : await copyXet(db, fromRepoId, toRepoId, key, limit)
  const last = found.at(-1)
  if (last !== undefined && found.length === limit) return { kind, key: last.key }
  return kind === 'lfs' ? { kind: 'xet', key: '' } : null
}

async function copyLfs(
  db: Kysely<Schema>,
  fromRepoId: string,
  toRepoId: string,
  after: string,
  limit: number,
): Promise<{ key: string }[]> {
  const query = db.selectFrom('repo_lfs_objects').select(['domain_id', 'oid as key', 'linked_at'])
  const page = query.where('repo_id', '=', fromRepoId).where('oid', '>', after).orderBy('oid').limit(limit)
  const found = await page.execute()
  for (const slice of insertSlices(found)) {
    const links = slice.map(({ key: oid, ...link }) => ({ repo_id: toRepoId, oid, ...link }))
    const insert = db.insertInto('repo_lfs_objects').values(links)
    await insert.onConflict((conflict) => conflict.doNothing()).execute()
  }
  return found
}

async function copyXet(
  db: Kysely<Schema>,
  fromRepoId: string,
  toRepoId: string,
  after: string,
  limit: number,
): Promise<{ key: string }[]> {
  const query = db.selectFrom('repo_xet_files').select(['domain_id', 'hash as key', 'sha256', 'linked_at'])
  const page = query.where('repo_id', '=', fromRepoId).where('hash', '>', after).orderBy('hash').limit(limit)
  const found = await page.execute()
  for (const slice of insertSlices(found)) {
    const links = slice.map(({ key: hash, ...link }) => ({ repo_id: toRepoId, hash, ...link }))
    const insert = db.insertInto('repo_xet_files').values(links)
    await insert.onConflict((conflict) => conflict.doNothing()).execute()
  }
  return found
}
