/** The tables of Xet files and of deduplication are lost; the stored shards and xorbs have all that was in them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { formatXetHash } from '@cairn/protocol/xet/hash'
import { formatShard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterEach, beforeEach, expect, test } from 'vitest'

import type { WorkStep } from '../src/ops/work-step.ts'
import { connect } from '../src/store/catalog/postgres-session.ts'
import { parsePostgresUrl } from '../src/store/catalog/postgres-url.ts'
import { shardKey } from '../src/store/keys.ts'
import { commit, createRepo, getJson, sha256 } from './client.ts'
import { post } from './refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine } from './xet-client.ts'

const LOST = [
  'dedup_chunks',
  'shard_xorbs',
  'shards',
  'repo_xet_files',
  'xet_file_xorbs',
  'xet_files',
  'xorbs',
]

let dataDir: string
let hub: TestHub
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-rebuild-'))
  hub = await startHub({ dataDir })
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

async function loseTables(): Promise<void> {
  await hub[Symbol.asyncDispose]()
  const statements = LOST.map((table) => `delete from ${table}`)
  if (hub.databaseUrl === null) {
    const database = new DatabaseSync(join(dataDir, 'catalog.db'))
    for (const statement of statements) database.exec(statement)
    database.close()
  } else {
    const client = await connect(parsePostgresUrl(hub.databaseUrl), false)
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  hub = await startHub({ dataDir })
}

async function work(verb: string, args: object = {}): Promise<{ findings: unknown[]; counts: object }> {
  const findings: unknown[] = []
  const counts: Record<string, number> = {}
  let cursor: string | null = null
  do {
    const request = post({ resource: 'hub', verb, args: { ...args, cursor } })
    const step: WorkStep = await getJson<WorkStep>(hub, 'root', '/api/admin', request)
    findings.push(...step.findings)
    for (const [name, count] of Object.entries(step.counts)) counts[name] = (counts[name] ?? 0) + count
    cursor = step.cursor
  } while (cursor !== null)
  return { findings, counts }
}

const download = async (id: string, path: string): Promise<string> => {
  const answer = await hub.fetch('alice', `/${id}/resolve/main/${path}`)
  return `${answer.status} ${sha256(new Uint8Array(await answer.arrayBuffer()))}`
}

test('every file downloads, chunks are offered again, and a copy has its files back', async () => {
  const [one, two] = [makeXetFile(1), makeXetFile(2)]
  const id = await createRepo(hub, 'alice', 'alice/one')
  const cas = await casAccess(hub, 'alice', id, 'write')
  await uploadXet(cas, one)
  await uploadXet(cas, two)
  await commit(hub, 'alice', id, [xetLine('one.bin', one), xetLine('two.bin', two)])
  const copy = { toRepo: 'alice/copy' }
  await getJson(hub, 'alice', `/api/models/${id}/duplicate`, post({ repository: copy.toRepo }))
  const chunk = `/v1/chunks/default-merkledb/${formatXetHash(one.shard.xorbs[0]!.chunks.subarray(0, 32))}`
  expect((await cas.fetch(chunk)).status).toBe(200)

  await loseTables()
  expect((await download(id, 'one.bin')).slice(0, 3)).not.toBe('200')
  const { findings, counts } = await work('rebuild-index')
  expect(findings).toEqual([])
  expect(counts).toMatchObject({ xorbs: 2, shards: 2, linked: 2 })
  for (const repo of [id, copy.toRepo]) {
    expect(await download(repo, 'one.bin')).toBe(`200 ${one.sha256}`)
    expect(await download(repo, 'two.bin')).toBe(`200 ${two.sha256}`)
  }
  const again = await casAccess(hub, 'alice', id, 'write')
  expect((await again.fetch(chunk)).status).toBe(200)
  expect((await again.fetch(`/v1/reconstructions/${one.hash}`)).status).toBe(200)
  // A second time there is nothing to do, and everything agrees.
  expect((await work('rebuild-index')).counts).not.toHaveProperty('shards')
  expect((await work('fsck', { full: true })).findings).toEqual([])
})

test('a false claim is no way to what somebody else has, also when the index is made anew', async () => {
  const secret = makeXetFile(3)
  const id = await createRepo(hub, 'alice', 'alice/secret', { private: true })
  await uploadXet(await casAccess(hub, 'alice', id, 'write'), secret)
  await commit(hub, 'alice', id, [xetLine('secret.bin', secret)])
  // As if it had been committed before the background proof came to it.
  const mine = makeXetFile(4)
  const other = await createRepo(hub, 'alice', 'alice/other')
  const cas = await casAccess(hub, 'alice', other, 'write')
  await cas.fetch(`/v1/xorbs/default/${mine.xorb.hash}`, postBytes(mine.xorb.bytes))
  const file = mine.shard.files[0]!
  const { blobs, catalog } = hub.hub.ops
  const repo = (await catalog.rows.repos.getByName('default', 'model', 'alice', 'other'))!
  const { domainId } = repo
  await using staged = await blobs.stage()
  await staged.append(formatShard({ ...mine.shard, files: [{ ...file, sha256: secret.sha256 }] }))
  await staged.commit(shardKey({ domainId, repoId: repo.id, id: 'claiming' }))
  await catalog.tx(async (rows) => {
    const claim = { sha256: null, claimedSha256: secret.sha256 }
    const recipe = { hash: mine.hash, sizeBytes: mine.content.length, termCount: 1, terms: file.terms }
    await rows.xet.insertFile(repo.id, { domainId, ...recipe, ...claim, createdAt: 0 }, [mine.xorb.hash])
  })
  await commit(hub, 'alice', other, [xetLine('stolen.bin', { ...mine, sha256: secret.sha256 })])
  await loseTables()
  const { findings } = await work('rebuild-index')
  expect(findings).toContainEqual(expect.objectContaining({ subject: expect.stringContaining('stolen.bin') }))
  expect(await download(id, 'secret.bin')).toBe(`200 ${secret.sha256}`)
  expect(await download(other, 'stolen.bin')).not.toContain('200 ')
})
