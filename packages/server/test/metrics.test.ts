/** What a monitoring system sees of a hub at work, and what it must never see. */
import { randomBytes } from 'node:crypto'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { familyOf } from '../src/http/family.ts'
import { routes } from '../src/http/routes/index.ts'
import { FAMILIES } from '../src/ops/traffic.ts'
import { commitBody, createRepo, file, getJson, lfsFile, uploadLfs } from './client.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

/** Every sample, by its name and labels. */
async function samples(): Promise<Map<string, number>> {
  const answer = await hub.fetch('root', '/metrics')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]))
}

/** How far a sample went while `work` was done. */
async function growth(name: string, work: () => Promise<unknown>): Promise<number> {
  const before = (await samples()).get(name) ?? 0
  await work()
  return ((await samples()).get(name) ?? 0) - before
}

test('requests are counted by kind of route, method and status', async () => {
  await createRepo(hub, 'alice', 'alice/tiny')
  await getJson(hub, 'alice', '/api/models/alice/tiny/commit/main', commitBody([file('a.txt', 'abc')]))
  const count = (method: string, status: string) =>
    `cairn_http_requests_total{family="resolve",method="${method}",status="${status}"}`
  const ask = (path: string, method = 'GET') =>
    hub.fetch('alice', `/alice/tiny/resolve/main/${path}`, { method })
  expect(await growth(count('HEAD', '2xx'), () => ask('a.txt', 'HEAD'))).toBe(1)
  expect(await growth(count('GET', '4xx'), () => ask('absent.txt'))).toBe(1)
  const durations = 'cairn_http_request_duration_seconds'
  const now = await samples()
  expect(now.get(`${durations}_count{family="resolve",method="HEAD"}`)).toBe(1)
  expect(now.get(`${durations}_bucket{family="resolve",method="HEAD",le="+Inf"}`)).toBe(1)
  expect(now.get(`${durations}_bucket{family="resolve",method="HEAD",le="600"}`)).toBe(1)
  expect(now.get(`${durations}_sum{family="resolve",method="HEAD"}`)).toBeGreaterThan(0)
})

test('bytes are counted as bodies, in both directions', async () => {
  await createRepo(hub, 'alice', 'alice/large')
  const content = randomBytes(300_000).toString('hex')
  const put = 'cairn_http_received_bytes_total{family="lfs"}'
  expect(await growth(put, () => uploadLfs(hub, 'alice', 'alice/large', content))).toBe(600_000)
  await getJson(hub, 'alice', '/api/models/alice/large/commit/main', commitBody([lfsFile('b.bin', content)]))
  const get = 'cairn_http_sent_bytes_total{family="resolve"}'
  const path = '/alice/large/resolve/main/b.bin'
  const download = async (init: RequestInit = {}) => (await hub.fetch('alice', path, init)).arrayBuffer()
  expect(await growth(get, () => download())).toBe(600_000)
  expect(await growth(get, () => download({ method: 'HEAD' }))).toBe(0)
  expect(await growth(get, () => download({ headers: { Range: 'bytes=10-19' } }))).toBe(10)
})

test('a client that goes away in the middle is counted as gone, and nothing stays open', async () => {
  const content = randomBytes(8_000_000).toString('hex')
  await createRepo(hub, 'alice', 'alice/left')
  await uploadLfs(hub, 'alice', 'alice/left', content)
  await getJson(hub, 'alice', '/api/models/alice/left/commit/main', commitBody([lfsFile('b.bin', content)]))
  const gone = 'cairn_http_requests_total{family="resolve",method="GET",status="gone"}'
  const leave = async () => {
    const answer = await hub.fetch('alice', '/alice/left/resolve/main/b.bin')
    await answer.body!.cancel()
    await expect.poll(async () => (await samples()).get('cairn_http_requests_open{family="resolve"}')).toBe(0)
  }
  expect(await growth(gone, leave)).toBe(1)
})

test('queues, budgets, processes, rows and the event loop are there', async () => {
  const now = await samples()
  for (const name of [
    'cairn_queue_length{queue="repositories"}',
    'cairn_queue_length{queue="xorb-threads"}',
    'cairn_queue_length{queue="git-processes"}',
    'cairn_slots_count{slots="git-pushes"}',
    'cairn_memory_budget_held_bytes{budget="commits"}',
    'cairn_git_helper_up',
    'cairn_git_processes',
    'cairn_repositories{type="model"}',
    'cairn_accounts{kind="user"}',
    'cairn_outbox_events{state="failing"}',
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds{quantile="0.99"}',
  ])
    expect(now.has(name), name).toBe(true)
  expect(now.get('cairn_git_helper_up')).toBe(1)
  expect(now.get('cairn_accounts{kind="org"}')).toBe(1)
})

test('no name, no path and no secret is in it, whatever was asked for', async () => {
  for (const path of [
    '/api/models/alice/tiny',
    '/nobody/knows/resolve/main/secret.txt',
    '/a/b/c/d?token=hf_x',
  ])
    await (await hub.fetch('alice', path)).text()
  const text = [...(await samples()).keys()].join('\n')
  for (const word of ['alice', 'tiny', 'nobody', 'secret', 'hf_']) expect(text).not.toContain(word)
  const families = [...text.matchAll(/family="([^"]+)"/g)].map(([, family]) => family)
  expect(FAMILIES).toEqual(expect.arrayContaining([...new Set(families)]))
})

test('every route has a family', () => {
  const without = routes.filter(({ path, absent }) => !absent && familyOf(path) === 'none')
  expect(without.map(({ path }) => path)).toEqual([])
})

test('a token that may read metrics may do nothing else', async () => {
  const made = await hub.hub.admin({
    resource: 'token',
    verb: 'create',
    args: { user: 'root', name: 'prometheus', role: 'fineGrained', scopes: ['*=hub.metrics.read'] },
  })
  const { token } = made as { token: `hf_${string}` }
  expect((await hub.fetch(token, '/metrics')).status).toBe(200)
  await createRepo(hub, 'alice', 'alice/hidden', { private: true })
  expect((await hub.fetch(token, '/api/models/alice/hidden')).status).toBe(404)
  expect((await hub.fetch(token, '/api/admin', { method: 'POST', body: '{}' })).status).toBe(403)
  expect((await hub.fetch(null, '/metrics')).status).toBe(401)
  expect((await hub.fetch('alice', '/metrics')).status).toBe(403)
  expect(TOKENS.root).not.toBe(token)
})
