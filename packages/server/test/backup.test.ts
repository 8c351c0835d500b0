/** A backup is taken while people work; what they had been told is saved is in it, and comes back whole. */
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { chosenDatabase } from '@cairn/testkit/test-postgres'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { BackupError } from '../src/backup/manifest.ts'
import { restoreBackup } from '../src/backup/restore.ts'
import { writeBackup } from '../src/backup/write.ts'
import { DataDirError, openDataDir } from '../src/data-dir.ts'
import type { CopyReport } from '../src/ops/copy-contents.ts'
import type { WorkStep } from '../src/ops/work-step.ts'
import { lfsKey, xorbKey } from '../src/store/keys.ts'
import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { post } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

let dir: string
let hub: TestHub
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-backup-'))
  hub = await startHub()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const quiet = { onProgress: async () => undefined }
const admin = <T>(at: TestHub, resource: string, verb: string, args: object): Promise<T> =>
  getJson<T>(at, 'root', '/api/admin', post({ resource, verb, args }))

type State = { id: string; snapshot: string | null }

/** As the command line does it. */
async function backUp(onProgress: () => Promise<void> = async () => undefined): Promise<CopyReport> {
  const { id } = await admin<State>(hub, 'backup', 'create', {})
  let state = await admin<State>(hub, 'backup', 'extend', { id })
  for (; state.snapshot === null; state = await admin<State>(hub, 'backup', 'extend', { id })) await sleep(20)
  try {
    const options = { dataDir: hub.dataDir, snapshot: state.snapshot, id, createdAt: new Date() }
    return await writeBackup({ ...options, to: join(dir, 'backup') }, { onProgress })
  } finally {
    await admin(hub, 'backup', 'delete', { id, copied: null })
  }
}

async function restored(): Promise<TestHub> {
  const dataDir = join(dir, 'restored')
  const database = await chosenDatabase(dataDir)
  const report = await restoreBackup({ from: join(dir, 'backup'), dataDir, databaseUrl: database }, quiet)
  expect(report.findings).toEqual([])
  return startHub({ dataDir, database })
}

async function fsck(at: TestHub): Promise<WorkStep['findings']> {
  const findings: WorkStep['findings'] = []
  let cursor: string | null = null
  do {
    const step: WorkStep = await admin<WorkStep>(at, 'hub', 'fsck', { cursor, full: true })
    findings.push(...step.findings)
    cursor = step.cursor
  } while (cursor !== null)
  return findings
}

const download = async (at: TestHub, id: string, path: string): Promise<string> => {
  const answer = await at.fetch('alice', `/${id}/resolve/main/${path}`)
  expect(answer.status, path).toBe(200)
  return sha256(new Uint8Array(await answer.arrayBuffer()))
}

/** Small, LFS and Xet files in one commit. Returns each path's sha256. */
async function upload(id: string, round: number): Promise<Map<string, string>> {
  const large = `weights ${round} of ${id}`
  const xet = makeXetFile(round + 1)
  await uploadLfs(hub, 'alice', id, large)
  await uploadXet(await casAccess(hub, 'alice', id, 'write'), xet)
  await commit(hub, 'alice', id, [
    file(`${round}.txt`, `text ${round}`),
    lfsFile(`${round}.bin`, large),
    xetLine(`${round}.xet.bin`, xet),
  ])
  return new Map([
    [`${round}.txt`, sha256(`text ${round}`)],
    [`${round}.bin`, sha256(large)],
    [`${round}.xet.bin`, xet.sha256],
  ])
}

test('what was acknowledged before a backup began comes back, though commits and removals go on', async () => {
  const id = await createRepo(hub, 'alice', 'alice/busy')
  const gone = await createRepo(hub, 'alice', 'alice/gone')
  const before = new Map([...(await upload(id, 0)), ...(await upload(id, 1))])
  await commit(hub, 'alice', gone, [file('a.txt', 'to be deleted')])

  let round = 2
  let isGoing = true
  const writing = (async () => {
    while (isGoing) await upload(id, round++)
  })()
  let isDeleted = false
  const report = await backUp(async () => {
    // Right after the snapshot that names it. What it needs may not go yet.
    if (isDeleted) return
    isDeleted = true
    await admin(hub, 'repo', 'delete', { namespace: 'alice', name: 'gone', now: true })
    const busy = (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'busy'))!
    await hub.hub.ops.git.repack(busy.id)
    await sleep(300)
  })
  isGoing = false
  await writing
  expect(report.findings).toEqual([])
  expect(round).toBeGreaterThan(3)

  await using copy = await restored()
  expect(await fsck(copy)).toEqual([])
  for (const [path, digest] of before) expect(await download(copy, id, path)).toBe(digest)
  expect(await download(copy, gone, 'a.txt')).toBe(sha256('to be deleted'))
  const heads = await admin<{ id: string }[]>(copy, 'repo', 'list', {})
  expect(heads.map((repo) => repo.id).toSorted()).toEqual(['alice/busy', 'alice/gone'])
  // And it goes on: what the old hub handed out is good, and new commits land.
  await commit(copy, 'alice', id, [file('after.txt', 'life goes on')])
})

test('a second backup brings what is new, and takes away what nothing needs', async () => {
  const id = await createRepo(hub, 'alice', 'alice/one')
  const files = await upload(id, 0)
  expect((await backUp()).copied.files).toBeGreaterThan(3)
  expect((await backUp()).copied).toEqual({ files: 0, sizeBytes: 0 })
  const orphan = join(dir, 'backup/blobs/blobs', lfsKey('x', sha256('orphan')))
  await mkdir(dirname(orphan), { recursive: true })
  await writeFile(orphan, 'orphan')
  const row = (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'one'))!
  await hub.hub.ops.git.repack(row.id)
  for (const [path, digest] of await upload(id, 1)) files.set(path, digest)
  const { copied } = await backUp()
  expect(copied.files).toBeGreaterThan(3)
  await expect(stat(orphan)).rejects.toThrow('ENOENT')
  const objects = await readdir(join(dir, 'backup/repos', row.id.slice(-2), `${row.id}.git`, 'objects'), {
    recursive: true,
    withFileTypes: true,
  })
  expect(objects.filter((entry) => /^[0-9a-f]{38}$/.test(entry.name)).length).toBeLessThanOrEqual(8)
  expect((await readdir(join(dir, 'backup'))).filter((name) => name.startsWith('catalog-'))).toHaveLength(1)
  await using copy = await restored()
  for (const [path, digest] of files) expect(await download(copy, id, path)).toBe(digest)
})

test('half a backup is no backup, and is finished by the next', async () => {
  const id = await createRepo(hub, 'alice', 'alice/one')
  const files = await upload(id, 0)
  const dataDir = join(dir, 'restored')
  const restore = () => restoreBackup({ from: join(dir, 'backup'), dataDir, databaseUrl: null }, quiet)
  await expect(
    backUp(async () => {
      throw new Error('pulled the plug')
    }),
  ).rejects.toThrow('pulled the plug')
  await expect(restore()).rejects.toThrow(BackupError)
  await expect(stat(dataDir)).rejects.toThrow('ENOENT')
  expect(hub.hub.ops.removals.isClosed()).toBe(false)
  await backUp()
  await using copy = await restored()
  for (const [path, digest] of files) expect(await download(copy, id, path)).toBe(digest)
})

test('a damaged blob is told and left out, and so it is on the way back', async () => {
  const id = await createRepo(hub, 'alice', 'alice/one')
  await upload(id, 0)
  const { domainId } = (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'one'))!
  const key = lfsKey(domainId, sha256(`weights 0 of ${id}`))
  const path = join(hub.dataDir, 'blobs/blobs', key)
  const sound = await readFile(path)
  await writeFile(path, Buffer.from(sound).fill(0, 0, 1))
  expect((await backUp()).findings).toMatchObject([
    { subject: key, message: expect.stringContaining('damaged') },
  ])
  await writeFile(path, sound)
  expect((await backUp()).findings).toEqual([])

  const xorb = xorbKey(domainId, makeXetFile(1).xorb.hash)
  const stored = join(dir, 'backup/blobs/blobs', xorb)
  const bytes = await readFile(stored)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(stored, bytes)
  const dataDir = join(dir, 'restored')
  const report = await restoreBackup({ from: join(dir, 'backup'), dataDir, databaseUrl: null }, quiet)
  expect(report.findings).toMatchObject([{ subject: xorb, message: expect.stringContaining('damaged') }])
})

test('nothing is brought back from a catalog or manifest that was changed, or over another hub', async () => {
  await createRepo(hub, 'alice', 'alice/one')
  await backUp()
  const from = join(dir, 'backup')
  const dataDir = join(dir, 'restored')
  const restore = (to = dataDir) => restoreBackup({ from, dataDir: to, databaseUrl: null }, quiet)
  await expect(restore(hub.dataDir)).rejects.toThrow('not empty')
  const catalog = join(
    from,
    (await readdir(from)).find((name) => name.startsWith('catalog-'))!,
  )
  await appendFile(catalog, 'x')
  await expect(restore()).rejects.toThrow('not what the backup wrote')
  const manifest = await readFile(join(from, 'backup.json'), 'utf8')
  await writeFile(join(from, 'backup.json'), manifest.replace(/"damaged": 0/, '"damaged": 1'))
  await expect(restore()).rejects.toThrow('not what a backup wrote')
  await expect(stat(dataDir)).rejects.toThrow('ENOENT')
  expect((await stat(join(from, 'backup.json'))).mode & 0o77).toBe(0)
})

test('a restore that was interrupted keeps hubs away until it is finished', async () => {
  const id = await createRepo(hub, 'alice', 'alice/one')
  const files = await upload(id, 0)
  await backUp()
  const dataDir = join(dir, 'restored')
  const halfway = restoreBackup(
    { from: join(dir, 'backup'), dataDir, databaseUrl: null },
    { onProgress: () => Promise.reject(new Error('pulled the plug')) },
  )
  await expect(halfway).rejects.toThrow('pulled the plug')
  await expect(openDataDir(dataDir, { random: () => new Uint8Array(32) })).rejects.toThrow(DataDirError)
  await using copy = await restored()
  for (const [path, digest] of files) expect(await download(copy, id, path)).toBe(digest)
})
