/** Quotas: who hits one is told which and why, by every way of writing; and can still read and delete. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { formatShard } from '@cairn/protocol/xet/shard'
import { GitClient } from '@cairn/testkit/git-client'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import type { HubStats, QuotaView } from '../src/ops/admin-storage.ts'
import { batch, commit, commitBody, createRepo, file, lfsFile, sha256, uploadLfs } from './client.ts'
import { remote } from './git-remote.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post } from './refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine } from './xet-client.ts'

let hub: TestHub
let git: GitClient
let id: string
let count = 0
beforeAll(async () => {
  git = await GitClient.open()
  hub = await startHub({ flags: { accountQuota: '40MB' } })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await git[Symbol.asyncDispose]()
})
beforeEach(async () => {
  count += 1
  id = await createRepo(hub, 'alice', `acme/model-${count}`)
})

const operate = <T>(resource: string, verb: string, args: object): Promise<T> =>
  hub.hub.admin({ resource, verb, args }) as Promise<T>
const setQuota = (quota?: number | string): Promise<QuotaView> => {
  const [namespace, name] = id.split('/')
  return operate('repo', 'quota', { namespace, name, quota })
}
const MESSAGE = /Storage quota exceeded: 'acme\/model-\d+' has /
async function refused(answer: Response, message = MESSAGE): Promise<void> {
  const { error } = await expectRefusal(answer, 'QuotaExceeded')
  expect(error).toMatch(message)
}

test('an LFS batch refuses object by object what does not fit, and what was uploaded can be read and sent again', async () => {
  await setQuota('100kB')
  const small = randomBytes(60_000)
  await uploadLfs(hub, 'alice', id, small)
  await commit(hub, 'alice', id, [lfsFile('small.bin', small)])
  const large = { oid: sha256('large'), size: 50_000 }
  const fits = { oid: sha256('fits'), size: 20_000 }
  const again = { oid: sha256(small), size: 60_000 }
  const { objects } = await batch(hub, 'alice', id, 'upload', [again, large, fits])
  expect(objects[0]).toEqual(again)
  expect(objects[1]!.error).toMatchObject({ code: 413, message: expect.stringMatching(MESSAGE) })
  expect(objects[1]!.error!.message).toMatch(/has 60\.\d kB of 100\.0 kB, and this needs 50\.0 kB more/)
  expect(objects[2]!.actions).toHaveProperty('upload')
  const answer = await hub.fetch('alice', `/${id}/resolve/main/small.bin`)
  expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(small))
})

test('an address of an earlier batch does not get round the quota', async () => {
  await setQuota('100kB')
  const [one, other] = [randomBytes(60_000), randomBytes(60_000)]
  const wanted = [one, other].map((bytes) => ({ oid: sha256(bytes), size: bytes.length }))
  const hrefs = await Promise.all(
    wanted.map(async (object) => {
      const { objects } = await batch(hub, 'alice', id, 'upload', [object])
      return objects[0]!.actions!['upload']!.href
    }),
  )
  const put = (href: string, body: Uint8Array<ArrayBuffer>) => fetch(href, { method: 'PUT', body })
  const answers = await Promise.all([
    put(hrefs[0]!, Uint8Array.from(one)),
    put(hrefs[1]!, Uint8Array.from(other)),
  ])
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 413]))
  expect((await setQuota()).fileBytes).toBe(60_000)
})

test('Xet: the shard is refused and nothing is linked; a full repository gets no token and takes no xorbs', async () => {
  await setQuota('100kB')
  const [fits, tooMuch] = [makeXetFile(71), makeXetFile(72)]
  const cas = await casAccess(hub, 'alice', id, 'write')
  await uploadXet(cas, fits)
  await commit(hub, 'alice', id, [xetLine('a.bin', fits)])
  expect((await setQuota()).fileBytes).toBe(60_000)
  await cas.fetch(`/v1/xorbs/default/${tooMuch.xorb.hash}`, postBytes(tooMuch.xorb.bytes))
  await expectUnchanged(hub, async () =>
    refused(await cas.fetch('/v1/shards', postBytes(formatShard(tooMuch.shard)))),
  )
  const known = await cas.fetch('/v1/shards', postBytes(formatShard(fits.shard)))
  expect(await known.json()).toEqual({ result: 0 })
  // The xorb that no shard could register counts until one does.
  const third = makeXetFile(73)
  await refused(await cas.fetch(`/v1/xorbs/default/${third.xorb.hash}`, postBytes(third.xorb.bytes)))
  await setQuota(1)
  await refused(await hub.fetch('alice', `/api/models/${id}/xet-write-token/main`))
  expect((await hub.fetch('alice', `/api/models/${id}/xet-read-token/main`)).status).toBe(200)
  expect((await hub.fetch('alice', `/${id}/resolve/main/a.bin`)).status).toBe(200)
})

test('what is never finished counts for two days, whatever comes after it: parts', async () => {
  let now = Date.now()
  await using other = await startHub({
    clock: () => now,
    flags: { accountQuota: '100kB' },
    lfs: { basicMaxBytes: 10_000, partBytes: 20_000 },
  })
  const repo = await createRepo(other, 'alice', 'alice/parts')
  const begin = async (name: string) => {
    const wanted = [{ oid: sha256(name), size: 40_000 }]
    const { objects } = await batch(other, 'alice', repo, 'upload', wanted, ['multipart'])
    const { header = {} } = objects[0]!.actions!['upload']!
    return ['1', '2'].map((key) => header[Object.keys(header).find((k) => Number(k) === Number(key))!]!)
  }
  const put = (href: string) => fetch(href, { method: 'PUT', body: randomBytes(20_000) })
  for (const name of ['first', 'second'])
    for (const href of await begin(name)) expect((await put(href)).status).toBe(200)
  now += 47 * 3600_000
  const [one = '', two = ''] = await begin('third')
  expect((await put(one)).status).toBe(200)
  expect((await put(two)).status).toBe(413)
  // The first of them is two days old now, and its parts go with the next collection.
  now += 2 * 3600_000
  expect((await put(two)).status).toBe(200)
})

test('a commit over HTTP: contents are refused, deletions are not', async () => {
  await commit(hub, 'alice', id, [file('a.txt', randomBytes(30_000)), file('b.txt', 'b')])
  const { usedBytes } = await setQuota('20kB')
  expect(usedBytes).toBeGreaterThan(30_000)
  const more = commitBody([file('c.txt', 'c')])
  await expectUnchanged(hub, async () =>
    refused(await hub.fetch('alice', `/api/models/${id}/commit/main`, more)),
  )
  await commit(hub, 'alice', id, [{ key: 'deletedFile', value: { path: 'a.txt' } }])
  expect((await hub.fetch('alice', `/${id}/resolve/main/b.txt`)).status).toBe(200)
  await setQuota('none')
  await commit(hub, 'alice', id, [file('c.txt', 'c')])
})

test('git push: refused with the reason for people, and as it was', async () => {
  const folder = `quota-${count}`
  await git.git('', 'clone', '-q', remote(hub, 'alice', id), folder)
  await setQuota('50kB')
  await writeFile(join(git.folder, folder, 'noise.bin'), randomBytes(90_000))
  await git.git(folder, 'add', '-A')
  await git.git(folder, 'commit', '-q', '-m', 'noise')
  const said = await expectUnchanged(hub, () => git.refused(folder, 'push', 'origin', 'HEAD'))
  expect(said).toMatch(
    /remote: Storage quota exceeded: 'acme\/model-\d+' has .* of 50\.0 kB, and this needs 9\d\.\d kB more/,
  )
  await setQuota('default')
  await git.git(folder, 'push', '-q', 'origin', 'HEAD')
  expect((await setQuota()).usedBytes).toBeGreaterThan(90_000)
})

test('an account has the hub’s default until another is chosen; everything it owns counts together', async () => {
  const account = (quota?: string | number) => operate<QuotaView>('org', 'quota', { name: 'ACME', quota })
  const first = await account()
  expect(first).toMatchObject({ name: 'acme', quotaBytes: 40_000_000, chosen: false })
  const { usedBytes } = await account(first.usedBytes + 10_000)
  const object = { oid: sha256('x'), size: 20_000 }
  const { objects } = await batch(hub, 'alice', id, 'upload', [object])
  expect(objects[0]!.error!.message).toContain("'acme' has")
  // What somebody else's account may have is another question.
  const own = await createRepo(hub, 'alice', `alice/own-${count}`)
  await uploadLfs(hub, 'alice', own, randomBytes(20_000))
  // Nor can it be brought in by moving or copying.
  const move = post({ fromRepo: own, toRepo: `acme/moved-${count}` })
  await refused(await hub.fetch('alice', '/api/repos/move', move), /'acme' has/)
  const copy = await hub.fetch(
    'alice',
    `/api/models/${own}/duplicate`,
    post({ repository: `acme/copy-${count}` }),
  )
  await refused(copy, /'acme' has/)
  expect((await account('default')).quotaBytes).toBe(40_000_000)
  expect((await account()).usedBytes).toBe(usedBytes)
  expect((await hub.fetch('alice', '/api/repos/move', move)).status).toBe(200)
})

test('a quota is an administrator’s to set, is a size, and is in the audit', async () => {
  const ask = (args: object) =>
    hub.fetch('alice', '/api/admin', post({ resource: 'org', verb: 'quota', args }))
  expect((await ask({ name: 'acme', quota: 'none' })).status).toBe(403)
  await expect(operate('org', 'quota', { name: 'acme', quota: 'plenty' })).rejects.toThrow(
    /a quota is given like 500GB/,
  )
  await expect(operate('org', 'quota', { name: 'nobody', quota: '1GB' })).rejects.toThrow(/No organization/)
  await operate('user', 'quota', { name: 'bob', quota: '1.5TiB' })
  const [row] = await operate<{ subject: string; details: string }[]>('audit', 'list', {
    action: 'user.quota',
  })
  expect(row).toMatchObject({ subject: 'bob', details: expect.stringContaining(String(1.5 * 1024 ** 4)) })
})

test('the numbers of the hub', async () => {
  const stats = await operate<HubStats>('hub', 'stats', {})
  expect(stats).toMatchObject({ users: 3, organizations: 1, jobs: { failing: 0, givenUp: 0, failures: [] } })
  const { logical, physical, dedupRatio } = stats.storage
  expect(logical.total).toBe(logical.git + logical.lfs + logical.xet)
  expect(physical.git).toBe(logical.git)
  expect(physical.lfs).toBeGreaterThan(60_000)
  expect(dedupRatio).toBeGreaterThan(0)
  expect(stats.quotas).toMatchObject({ accountDefaultBytes: 40_000_000, repoDefaultBytes: null })
  expect(stats.slots).toHaveProperty('git-pushes')
  expect(stats).toMatchObject({ damaged: 0, last: { collection: null, backup: null, verification: null } })

  const whole = async (verb: string, args: object) => {
    let cursor: unknown = null
    do ({ cursor } = await operate<{ cursor: unknown }>('hub', verb, { ...args, cursor }))
    while (cursor !== null)
  }
  await whole('gc', { dryRun: true })
  expect((await operate<HubStats>('hub', 'stats', {})).last.collection).toBeNull()
  await whole('gc', {})
  await whole('verify', {})
  expect((await operate<HubStats>('hub', 'stats', {})).last).toMatchObject({
    collection: expect.any(String),
    verification: expect.any(String),
  })
})
