/** LFS uploads become Xet files, and nobody who downloads them notices. */
import { setTimeout as sleep } from 'node:timers/promises'

import { CountedCalls, failAtCall, faultyCatalog, faultyStore, systemFault } from '@cairn/testkit/faults'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { generateContent } from '@cairn/testkit/xet-content'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { startLfsMigration } from '../src/jobs/lfs-migration.ts'
import { MIGRATION_MIN_BYTES } from '../src/limits.ts'
import type { OpsContext } from '../src/ops/context.ts'
import { removeOriginal, replaceObject } from '../src/ops/xet/migrate.ts'
import { USUAL_MIGRATION } from '../src/ops/xet/migration-policy.ts'
import { keyPrefix, lfsKey, type BlobKind } from '../src/store/keys.ts'
import { batch, commit, createRepo, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { post } from './refusal.ts'
import { casAccess } from './xet-client.ts'

const HOUR_MS = 3600_000
let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
})
afterAll(() => hub[Symbol.asyncDispose]())

let seed = 100
/** No two are alike. */
function content(sizeBytes = 3_000_000, recipe: 'random' | 'csv' | 'constant' = 'random'): Buffer {
  return Buffer.from(generateContent({ recipe, seed: ++seed, sizeBytes }))
}

/** A model of alice's with one file. */
async function publish(name: string, bytes: Buffer, path = 'model.bin'): Promise<string> {
  const id = `alice/${name}`
  if (!(await hub.fetch('alice', `/api/models/${id}`)).ok) await createRepo(hub, 'alice', id)
  await put(id, bytes, path)
  return id
}

async function put(id: string, bytes: Buffer, path = 'model.bin'): Promise<void> {
  await uploadLfs(hub, 'alice', id, bytes)
  await commit(hub, 'alice', id, [lfsFile(path, bytes)])
}

async function repoOf(id: string) {
  const { rows } = hub.hub.ops.catalog
  const [namespace = '', name = ''] = id.split('/')
  const repo = await rows.repos.getByName('default', 'model', namespace, name)
  return repo!
}

interface Step {
  cursor: string | null
  total: number | null
  findings: { subject: string; message: string; state: string }[]
  counts: Record<string, number>
}

/** As `cairn admin migrate-lfs`. */
async function migrate(id: string | null, remove = false): Promise<Step> {
  const [namespace, name] = id?.split('/') ?? []
  const repo = id === null ? null : { namespace, name }
  const sums: Step = { cursor: null, total: null, findings: [], counts: {} }
  let cursor: string | null = null
  do {
    const request = post({ resource: 'hub', verb: 'migrate-lfs', args: { repo, remove, cursor } })
    const step: Step = await getJson<Step & Record<string, unknown>>(hub, 'root', '/api/admin', request)
    sums.findings.push(...step.findings)
    sums.total ??= step.total
    for (const [key, count] of Object.entries(step.counts)) sums.counts[key] = (sums.counts[key] ?? 0) + count
    cursor = step.cursor
  } while (cursor !== null)
  return sums
}

async function rowOf(id: string, bytes: Buffer) {
  const { domainId } = await repoOf(id)
  return hub.hub.ops.catalog.rows.lfsMigrations.get({ domainId, oid: sha256(bytes) })
}

/** One object, whatever its size, with what happens while it is packed. */
async function replace(id: string, bytes: Buffer, meanwhile: () => Promise<void> = async () => {}) {
  const { ops } = hub.hub
  const object = { domainId: (await repoOf(id)).domainId, oid: sha256(bytes) }
  await ops.catalog.tx((rows) => rows.lfsMigrations.insert(object, now))
  let isFirst = true
  return replaceObject(ops, object, async () => {
    if (isFirst) await meanwhile()
    isFirst = false
  })
}

async function keys(kind: BlobKind, domainId?: string): Promise<string[]> {
  return (await Array.fromAsync(hub.hub.ops.blobs.list(keyPrefix(kind, domainId)))).map(({ key }) => key)
}

async function expectServed(id: string, bytes: Buffer, path = 'model.bin'): Promise<Headers> {
  const answer = await hub.fetch('alice', `/${id}/resolve/main/${path}`)
  expect(answer.status).toBe(200)
  expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
  return answer.headers
}

test('nobody notices but clients of Xet, who find the file there', async () => {
  const bytes = content(5_000_000, 'csv')
  const id = await publish('seamless', bytes)
  const oid = sha256(bytes)
  const asLfs = async () => ({
    headers: Object.fromEntries(await expectServed(id, bytes)),
    batch: (await batch(hub, 'alice', id, 'download', [{ oid, size: bytes.length }])).objects[0]?.size,
    paths: await getJson<object[]>(
      hub,
      'alice',
      `/api/models/${id}/paths-info/main`,
      post({ paths: ['model.bin'] }),
    ),
  })
  const before = await asLfs()
  expect(before.headers).not.toHaveProperty('x-xet-hash')

  expect(await migrate(id)).toMatchObject({
    total: 1,
    findings: [],
    counts: { replaced: 1, replacedBytes: 5_000_000 },
  })
  const after = await asLfs()
  const hash = after.headers['x-xet-hash']!
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  for (const name of [
    'etag',
    'content-length',
    'x-linked-etag',
    'x-linked-size',
    'x-repo-commit',
    'accept-ranges',
  ])
    expect([name, after.headers[name]]).toEqual([name, before.headers[name]])
  expect(after.batch).toBe(before.batch)
  expect(after.paths).toEqual([{ ...before.paths[0], xetHash: hash }])

  const slice = await hub.fetch('alice', `/${id}/resolve/main/model.bin`, {
    headers: { Range: 'bytes=70000-200001' },
  })
  expect(slice.status).toBe(206)
  expect(Buffer.compare(Buffer.from(await slice.arrayBuffer()), bytes.subarray(70_000, 200_002))).toBe(0)
  const { objects } = await batch(hub, 'alice', id, 'download', [{ oid, size: bytes.length }])
  const lfs = await fetch(objects[0]!.actions!['download']!.href)
  expect(sha256(new Uint8Array(await lfs.arrayBuffer()))).toBe(oid)
  const cas = await casAccess(hub, 'alice', id, 'read')
  expect((await cas.fetch(`/v2/reconstructions/${hash}`)).status).toBe(200)

  // Compressed, once; the original is kept, until its grace has ended or somebody says so.
  const { domainId } = await repoOf(id)
  expect(await keys('lfs', domainId)).toContain(lfsKey(domainId, oid))
  expect(await migrate(id)).toMatchObject({ findings: [], counts: {} })
  expect(await migrate(id, true)).toMatchObject({
    findings: [],
    counts: { removed: 1, removedBytes: 5_000_000 },
  })
  expect(await keys('lfs', domainId)).not.toContain(lfsKey(domainId, oid))
  await expectServed(id, bytes)
  expect(await migrate(id, true)).toMatchObject({ total: 0, counts: {} })
})

test('what an earlier owner left in his domain is replaced there', async () => {
  const bytes = content()
  const id = await publish('moved', bytes)
  const { domainId } = await repoOf(id)
  const move = post({ fromRepo: id, toRepo: 'acme/moved', type: 'model' })
  expect((await hub.fetch('alice', '/api/repos/move', move)).status).toBe(200)
  const before = await keys('xorbs', domainId)
  expect(await migrate('acme/moved', true)).toMatchObject({ counts: { replaced: 1, removed: 1 } })
  expect((await expectServed('acme/moved', bytes)).has('x-xet-hash')).toBe(true)
  expect((await keys('xorbs', domainId)).length).toBe(before.length + 1)
})

test('what a repository has counts once, whatever it is stored as', async () => {
  const bytes = content()
  const id = await publish('full', bytes)
  const { id: repoId } = await repoOf(id)
  await hub.hub.ops.catalog.tx((rows) => rows.quotas.set('repo', repoId, bytes.length + 100_000))
  expect(await migrate(id)).toMatchObject({ findings: [], counts: { replaced: 1 } })
  await expectServed(id, bytes)
})

test('a later version costs what changed in it', async () => {
  const first = content(8_000_000)
  const second = Buffer.concat([
    first.subarray(0, 4_000_000),
    Buffer.from('five!'),
    first.subarray(4_000_000),
  ])
  const id = await publish('versions', first)
  await migrate(id)
  await put(id, second)
  const stored = async () => {
    const all = await Array.fromAsync(hub.hub.ops.blobs.list(keyPrefix('xorbs')))
    return all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }
  const before = await stored()
  await migrate(id, true)
  expect((await stored()) - before).toBeLessThan(300_000)
  expect((await stored()) - before).toBeGreaterThan(0)
  await expectServed(id, second)
})

describe('of every size', () => {
  test.each([
    ['nothing', 0, 'constant'],
    ['one byte', 1, 'constant'],
    ['a chunk of the smallest size', 8192, 'random'],
    ['one byte repeated', 20_000_000, 'constant'],
    ['a xorb and one byte', 64 * 1024 * 1024 + 1, 'random'],
  ] as const)('%s', async (_, sizeBytes, recipe) => {
    const bytes = content(sizeBytes, recipe)
    const id = await publish(`sized-${sizeBytes}`, bytes)
    expect(await replace(id, bytes)).toBe('replaced')
    expect(await removeOriginal(hub.hub.ops, (await rowOf(id, bytes))!)).toBe('removed')
    await expectServed(id, bytes)
  })

  test('but small files are left alone', async () => {
    const bytes = content(MIGRATION_MIN_BYTES - 1)
    const id = await publish('small', bytes)
    expect(await migrate(id)).toMatchObject({ total: 0, counts: {} })
    expect((await expectServed(id, bytes)).has('x-xet-hash')).toBe(false)
  })
})

describe('while an object is packed', () => {
  test('another repository of its owner gets it, and both have the file', async () => {
    const bytes = content()
    const one = await publish('shared-one', bytes)
    let two = ''
    await replace(one, bytes, async () => {
      two = await publish('shared-two', bytes)
    })
    for (const id of [one, two]) expect((await expectServed(id, bytes)).has('x-xet-hash')).toBe(true)
  })

  test('its only repository is deleted for good: nothing is left to serve, and nothing fails', async () => {
    const bytes = content()
    const id = await publish('deleted', bytes)
    const { ops } = hub.hub
    const { id: repoId } = await repoOf(id)
    const done = replace(id, bytes, async () => {
      await hub.fetch('alice', '/api/repos/delete', {
        ...post({ name: 'deleted', organization: 'alice' }),
        method: 'DELETE',
      })
      await ops.catalog.tx((rows) => rows.repos.purge(repoId))
    })
    await expect(done).rejects.toThrow('deleted meanwhile')
  })

  test('its file is purged from the repository', async () => {
    const bytes = content()
    const id = await publish('purged', bytes)
    await replace(id, bytes, async () => {
      const purge = post({ deletions: { sha: [sha256(bytes)], rewriteHistory: true } })
      expect((await hub.fetch('alice', `/api/models/${id}/lfs-files/batch`, purge)).status).toBe(200)
    })
    expect((await hub.fetch('alice', `/${id}/resolve/main/model.bin`)).status).toBe(404)
  })

  test('its repository goes to another owner, who has it from then on', async () => {
    const bytes = content()
    const id = await publish('moving', bytes)
    await replace(id, bytes, async () => {
      const move = post({ fromRepo: id, toRepo: 'acme/moving', type: 'model' })
      expect((await hub.fetch('alice', '/api/repos/move', move)).status).toBe(200)
    })
    const headers = await expectServed('acme/moving', bytes)
    const cas = await casAccess(hub, 'alice', 'acme/moving', 'read')
    expect((await cas.fetch(`/v2/reconstructions/${headers.get('x-xet-hash')}`)).status).toBe(200)
  })

  test('its repository is duplicated, and both have the file', async () => {
    const bytes = content()
    const id = await publish('copied', bytes)
    await replace(id, bytes, async () => {
      const copy = post({ repository: 'alice/copy' })
      expect((await hub.fetch('alice', `/api/models/${id}/duplicate`, copy)).status).toBe(200)
    })
    for (const one of [id, 'alice/copy'])
      expect((await expectServed(one, bytes)).has('x-xet-hash')).toBe(true)
  })
})

describe('what comes again', () => {
  test('after it was replaced is replaced again, before the original goes', async () => {
    const bytes = content()
    const id = await publish('again', bytes)
    await migrate(id)
    const other = await publish('again-too', bytes)
    expect((await expectServed(other, bytes)).has('x-xet-hash')).toBe(false)
    expect(await migrate(other, true)).toMatchObject({ counts: { replaced: 1, removed: 1 } })
    for (const one of [id, other]) expect((await expectServed(one, bytes)).has('x-xet-hash')).toBe(true)
  })

  test('while the original goes is there afterwards', async () => {
    const bytes = content()
    const id = await publish('racing', bytes)
    await replace(id, bytes)
    const row = (await rowOf(id, bytes))!
    const other = await createRepo(hub, 'alice', 'alice/racing-too')
    // Whichever is first at the object's queue.
    await Promise.all([removeOriginal(hub.hub.ops, row), put(other, bytes)])
    for (const one of [id, other]) await expectServed(one, bytes)
    await migrate(other, true)
    for (const one of [id, other]) await expectServed(one, bytes)
  })
})

test('a download that was opened before the original went gets the file', async () => {
  const bytes = content()
  const id = await publish('opened', bytes)
  const { ops } = hub.hub
  const { openObject } = await import('../src/ops/lfs.ts')
  const opened = await openObject(ops, await repoOf(id), sha256(bytes))
  await migrate(id, true)
  expect(
    Buffer.compare(Buffer.concat(await Array.fromAsync(await opened.open(), (b) => Buffer.from(b))), bytes),
  ).toBe(0)
})

describe('what goes wrong', () => {
  test('rotten bytes are not made a file, and an operator is told', async () => {
    const bytes = content()
    const id = await publish('rotten', bytes)
    const { blobs } = hub.hub.ops
    const key = lfsKey((await repoOf(id)).domainId, sha256(bytes))
    await blobs.delete(key)
    const staged = await blobs.stage()
    await staged.append(content())
    await staged.commit(key)
    const { findings, counts } = await migrate(id, true)
    expect(counts).toEqual({})
    expect(findings).toMatchObject([{ state: 'problem', message: expect.stringContaining('no longer have') }])
  })

  test('an original whose file cannot be read back is kept', async () => {
    const bytes = content()
    const id = await publish('unreadable', bytes)
    await replace(id, bytes)
    const { domainId } = await repoOf(id)
    const { blobs } = hub.hub.ops
    const xorbs = await keys('xorbs', domainId)
    await Promise.all(xorbs.map((key) => blobs.delete(key as never)))
    await expect(removeOriginal(hub.hub.ops, (await rowOf(id, bytes))!)).rejects.toThrow()
    expect(await keys('lfs', domainId)).toContain(lfsKey(domainId, sha256(bytes)))
  })

  test.each([
    { what: 'a full disk', plan: { timing: 'before', makeFault: systemFault('ENOSPC') } },
    { what: 'the end of the process', plan: { timing: 'after', isDeadly: true } },
  ] as const)('$what, at any call of store or catalog, loses nothing', async ({ what, plan }) => {
    const bytes = content(1_200_000)
    const id = await publish(what.replaceAll(' ', '-'), bytes)
    const { ops } = hub.hub
    const { domainId } = await repoOf(id)
    const object = { domainId, oid: sha256(bytes) }
    /** Fails at the first call, then at the second …; returns how often it failed before it was through. */
    async function failEach(attempt: (ctx: OpsContext) => Promise<unknown>): Promise<number> {
      for (let failing = 1; ; failing++) {
        const calls = new CountedCalls({ failing, ...plan })
        const ctx = {
          ...ops,
          blobs: faultyStore(ops.blobs, calls),
          catalog: faultyCatalog(ops.catalog, calls),
        }
        const error = await attempt(ctx).then(
          () => null,
          (thrown: unknown) => thrown,
        )
        if (error === null && !calls.hasFailed) return failing - 1
        await expectServed(id, bytes)
      }
    }
    expect(await failEach((ctx) => replaceObject(ctx, object, async () => {}))).toBeGreaterThan(5)
    // Whatever was cut off last, the next attempt finds it.
    await replaceObject(ops, object, async () => {})
    expect((await expectServed(id, bytes)).has('x-xet-hash')).toBe(true)
    expect(await failEach((ctx) => removeOriginal(ctx, object))).toBeGreaterThan(1)
    await removeOriginal(ops, object)
    expect(await rowOf(id, bytes)).toBeNull()
    await expectServed(id, bytes)
  })
})

describe('by itself', () => {
  /** A round every 20 ms, on a disk with so much room. */
  function start(freeBytes: number) {
    const { ops } = hub.hub
    const blobs = {
      ...failAtCall(ops.blobs, Number.POSITIVE_INFINITY, 'before'),
      space: async () => ({ freeBytes, totalBytes: 1e12 }),
    }
    return startLfsMigration({ ...ops, blobs }, { ...USUAL_MIGRATION, delayHours: 24, graceHours: 48 }, 20)
  }

  test('the hub does it, when the delay and the grace have passed', async () => {
    const bytes = content()
    const id = await publish('by-itself', bytes)
    await using job = start(5e11)
    const hasHash = async () => (await expectServed(id, bytes)).has('x-xet-hash')
    await sleep(200)
    expect(await hasHash()).toBe(false)
    now += 24 * HOUR_MS
    await expect.poll(hasHash, { timeout: 20_000 }).toBe(true)
    expect(await rowOf(id, bytes)).not.toBeNull()
    now += 48 * HOUR_MS
    await expect.poll(() => rowOf(id, bytes), { timeout: 20_000 }).toBeNull()
    expect(await hasHash()).toBe(true)
    await job.stop()
  })

  test('and leaves the last tenth of the disk to uploads', async () => {
    const bytes = content()
    const id = await publish('no-room', bytes)
    now += 24 * HOUR_MS
    {
      await using _ = start(1e11)
      await sleep(300)
      expect(await rowOf(id, bytes)).toMatchObject({ replacedAt: null, attempts: 0 })
    }
    await using _ = start(1e11 + 1e9)
    await expect.poll(async () => (await rowOf(id, bytes))?.replacedAt, { timeout: 20_000 }).toBe(now)
  })
})
