/** What counts as a download: docs/api-design.md «Downloads». */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { commit, createRepo, file, getJson } from './client.ts'

const DAY_MS = 24 * 3600_000
const MINUTE_MS = 60_000
let now = Date.UTC(2026, 0, 31, 12)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
})
afterAll(() => hub[Symbol.asyncDispose]())

let made = 0
/** A model with one file of ten bytes, and its address. */
async function subject(): Promise<{ id: string; path: string }> {
  const id = await createRepo(hub, 'alice', `alice/counted${made++}`)
  await commit(hub, 'alice', id, [file('ten.txt', '0123456789')])
  return { id, path: `/${id}/resolve/main/ten.txt` }
}

async function counted(id: string): Promise<unknown> {
  await hub.hub.ops.downloads.flush()
  return (await getJson(hub, null, `/api/models/${id}`))['downloads']
}

async function drain(answer: Promise<Response>): Promise<void> {
  await (await answer).arrayBuffer()
}

test.each<[string, RequestInit, number]>([
  ['a GET', {}, 1],
  ['a range from the beginning', { headers: { Range: 'bytes=0-4' } }, 1],
  ['an open range from the beginning', { headers: { Range: 'bytes=0-' } }, 1],
  ['a HEAD', { method: 'HEAD' }, 0],
  ['a HEAD of a download', { method: 'HEAD', headers: { 'X-HF-Download-Counter': '1' } }, 0],
  ['a probe for the size', { headers: { Range: 'bytes=0-0' } }, 0],
  ['a later range', { headers: { Range: 'bytes=5-9' } }, 0],
  ['a range beyond the end', { headers: { Range: 'bytes=50-' } }, 0],
])('%s', async (_what, init, count) => {
  const { id, path } = await subject()
  await drain(hub.fetch(null, path, init))
  expect(await counted(id)).toBe(count)
})

test('what the client has already, the raw form and a missing file do not count', async () => {
  const { id, path } = await subject()
  const etag = (await hub.fetch(null, path, { method: 'HEAD' })).headers.get('ETag') ?? ''
  await drain(hub.fetch(null, path, { headers: { 'If-None-Match': etag } }))
  await drain(hub.fetch(null, path.replace('/resolve/', '/raw/')))
  await drain(hub.fetch(null, `${path}.missing`))
  expect(await counted(id)).toBe(0)
})

test('a client counts once in five minutes, clients count each, repositories too', async () => {
  const first = await subject()
  const second = await subject()
  const get = (as: 'alice' | 'reader' | null, userAgent = 'one') =>
    drain(hub.fetch(as, first.path, { headers: { 'User-Agent': userAgent } }))
  await get(null)
  await get(null)
  await get('alice')
  await get('alice', 'two')
  expect(await counted(first.id)).toBe(2)
  await get('reader')
  await get(null, 'two')
  expect(await counted(first.id)).toBe(4)
  now += 5 * MINUTE_MS - 1
  await get(null)
  expect(await counted(first.id)).toBe(4)
  now += 1
  await get(null)
  expect(await counted(first.id)).toBe(5)
  expect(await counted(second.id)).toBe(0)
})

test('thirty days are recent, every day is kept', async () => {
  const { id, path } = await subject()
  await drain(hub.fetch(null, path))
  await counted(id)
  now += 29 * DAY_MS
  expect(await counted(id)).toBe(1)
  await drain(hub.fetch(null, path))
  await counted(id)
  now += DAY_MS
  expect(await counted(id)).toBe(1)
  const expanded = `/api/models/${id}?expand=downloadsAllTime&expand=downloads`
  expect(await getJson(hub, null, expanded)).toMatchObject({ downloads: 1, downloadsAllTime: 2 })
  const history = await getJson<{ daily: { day: string; downloads: number }[] }>(
    hub,
    null,
    `/api/models/${id}/downloads?days=31`,
  )
  expect(history.daily).toHaveLength(31)
  expect(history.daily[0]).toEqual({ day: '2026-01-31', downloads: 1 })
  expect(history.daily.at(-2)).toEqual({ day: '2026-03-01', downloads: 1 })
  expect((await hub.fetch(null, `/api/models/${id}/downloads?days=0`)).status).toBe(400)
})

test('a catalog that cannot be written fails no download, and loses no count', async () => {
  const { id, path } = await subject()
  const { catalog } = hub.hub.ops
  const tx = catalog.tx.bind(catalog)
  catalog.tx = () => Promise.reject(new Error('the disk is full'))
  try {
    expect((await hub.fetch(null, path)).status).toBe(200)
    await hub.hub.ops.downloads.flush()
  } finally {
    catalog.tx = tx
  }
  expect(await counted(id)).toBe(1)
})
