/** Rate limits as the Hub's clients read them: clients.md §0.17, hub-api.md §1.7. */
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { batch, commit, createRepo, file, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet } from './xet-client.ts'

const START = Date.UTC(2026, 0, 1)
const LIMITS =
  'api=6,resolvers=3,pages=2,anonymous-api=2,anonymous-resolvers=2,anonymous-pages=1,window=100,failures=3'

let now = START
let hub: TestHub
const open = async (env: Record<string, string>) => {
  now = START
  hub = await startHub({ clock: () => now, env })
}
const close = () => hub[Symbol.asyncDispose]()

/** Asks as an address that the trusted proxy names. */
const from = (address: string, path: string, authorization?: string) =>
  fetch(hub.url + path, {
    headers: {
      'X-Forwarded-For': address,
      ...(authorization === undefined ? {} : { Authorization: `Bearer ${authorization}` }),
    },
  })
const statuses = (answers: readonly Response[]) => answers.map(({ status }) => status)

async function times<T>(count: number, ask: () => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  while (answers.length < count) answers.push(await ask())
  return answers
}

describe('quotas', () => {
  beforeEach(async () => {
    await open({ CAIRN_RATE_LIMITS: LIMITS, CAIRN_TRUSTED_PROXIES: '127.0.0.1' })
    await createRepo(hub, 'bob', 'bob/tiny')
    await commit(hub, 'bob', 'bob/tiny', [file('a.txt', 'a')])
  })
  afterEach(close)

  test('every answer says what is left, and the one too many when to come back', async () => {
    const first = await hub.fetch('alice', '/api/whoami-v2')
    expect(first.headers.get('RateLimit')).toBe('"api";r=5;t=100')
    expect(first.headers.get('RateLimit-Policy')).toBe('"fixed window";"api";q=6;w=100')
    now += 30_000
    await times(4, () => hub.fetch('alice', '/api/whoami-v2'))
    const missing = await hub.fetch('alice', '/api/models/alice/missing')
    expect([missing.status, missing.headers.get('RateLimit')]).toEqual([404, '"api";r=0;t=70'])
    const refused = await hub.fetch('alice', '/api/whoami-v2')
    expect(refused.headers.get('RateLimit')).toBe('"api";r=0;t=70')
    expect(refused.headers.get('Retry-After')).toBe('70')
    expect(refused.headers.get('Access-Control-Expose-Headers')).toMatch(
      /RateLimit, RateLimit-Policy, Retry-After/,
    )
    const { error } = await expectRefusal(refused, 'TooManyRequests')
    expect(error).toMatch(/6 requests of the kind 'api'.*70 seconds/)
    now += 70_000
    expect((await hub.fetch('alice', '/api/whoami-v2')).headers.get('RateLimit')).toBe('"api";r=5;t=100')
  })

  test('an account has one quota for all of its tokens, and another has its own', async () => {
    await times(6, () => hub.fetch('alice', '/api/whoami-v2'))
    expect((await hub.fetch('reader', '/api/whoami-v2')).status).toBe(429)
    expect((await hub.fetch('root', '/api/whoami-v2')).status).toBe(200)
  })

  test('files, the API and pages have quotas of their own', async () => {
    await times(6, () => hub.fetch('alice', '/api/whoami-v2'))
    const path = '/bob/tiny/resolve/main/a.txt'
    expect(statuses(await times(4, () => hub.fetch('alice', path)))).toEqual([200, 200, 200, 429])
    expect(statuses(await times(3, () => hub.fetch('alice', '/bob/tiny/user-access-report')))).toEqual([
      501, 501, 429,
    ])
  })

  test('without a token the address counts, as the trusted proxy tells it', async () => {
    const path = '/bob/tiny/resolve/main/a.txt'
    expect(statuses(await times(3, () => from('192.0.2.1', path)))).toEqual([200, 200, 429])
    expect((await from('192.0.2.2', path)).status).toBe(200)
    // What the client itself put in front of the proxy's word counts for nothing.
    expect((await from('192.0.2.9, 192.0.2.1', path)).status).toBe(429)
    expect((await from('192.0.2.1', path, TOKENS.bob)).status).toBe(200)
    expect(statuses(await times(2, () => from('2001:db8::1', path)))).toEqual([200, 200])
    expect((await from('2001:db8::2', path)).status).toBe(429)
  })

  test('health and preflights are free, and so are uploads and downloads that were asked for', async () => {
    expect(statuses(await times(8, () => from('192.0.2.1', '/health')))).toEqual(Array(8).fill(200))
    const preflight = () =>
      fetch(`${hub.url}/api/whoami-v2`, { method: 'OPTIONS', headers: { 'X-Forwarded-For': '192.0.2.1' } })
    expect(statuses(await times(4, preflight))).toEqual([204, 204, 204, 204])
    await createRepo(hub, 'root', 'root/large')
    const made = makeXetFile(1)
    const cas = await casAccess(hub, 'root', 'root/large', 'write')
    await uploadXet(cas, made)
    expect(statuses(await times(8, () => cas.fetch(`/v2/reconstructions/${made.hash}`)))).toEqual(
      Array(8).fill(200),
    )
    await uploadLfs(hub, 'root', 'root/large', 'large')
    await commit(hub, 'root', 'root/large', [lfsFile('large.bin', 'large')])
    const { objects } = await batch(hub, 'root', 'root/large', 'download', [
      { oid: sha256('large'), size: 5 },
    ])
    const href = objects[0]?.actions?.['download']?.href ?? ''
    expect(statuses(await times(8, () => fetch(href)))).toEqual(Array(8).fill(200))
  })
})

describe('wrong credentials', () => {
  const wrong = 'hf_wrong0000000000000000000000000000000'
  beforeEach(() => open({ CAIRN_RATE_LIMITS: 'failures=3,window=100', CAIRN_TRUSTED_PROXIES: '127.0.0.1' }))
  afterEach(close)

  const whoami = (address: string, token: string) => from(address, '/api/whoami-v2', token)

  test('a few are told so, more have to wait', async () => {
    expect(statuses(await times(4, () => whoami('192.0.2.1', wrong)))).toEqual([401, 401, 401, 429])
    const refused = await whoami('192.0.2.1', wrong)
    expect(refused.headers.get('Retry-After')).toBe('100')
    await expectRefusal(refused, 'TooManyRequests')
    now += 100_000
    expect((await whoami('192.0.2.1', wrong)).status).toBe(401)
  })

  test('a right guess after too many wrong ones looks like a wrong one', async () => {
    await times(3, () => whoami('192.0.2.1', wrong))
    const answers = [await whoami('192.0.2.1', wrong), await whoami('192.0.2.1', TOKENS.alice)]
    expect(statuses(answers)).toEqual([429, 429])
    const [a, b] = await Promise.all(answers.map((answer) => answer.text()))
    expect(a).toBe(b)
    now += 100_000
    expect((await whoami('192.0.2.1', TOKENS.alice)).status).toBe(200)
  })

  test('nobody is shut out by a neighbour: not behind the proxy, not one whose token was good there before', async () => {
    expect((await whoami('192.0.2.1', TOKENS.bob)).status).toBe(200)
    await times(5, () => whoami('192.0.2.1', wrong))
    expect((await whoami('192.0.2.2', TOKENS.alice)).status).toBe(200)
    expect((await whoami('192.0.2.1', TOKENS.bob)).status).toBe(200)
    expect((await from('192.0.2.1', '/api/models')).status).toBe(200)
  })

  test('a proxy that does not say for whom it asks is not the culprit', async () => {
    expect(
      statuses(
        await times(6, () =>
          hub.fetch(null, '/api/whoami-v2', { headers: { Authorization: `Bearer ${wrong}` } }),
        ),
      ),
    ).toEqual(Array(6).fill(401))
  })
})

describe('an untrusted peer', () => {
  beforeAll(() => open({ CAIRN_RATE_LIMITS: 'failures=3' }))
  afterAll(close)

  test('cannot choose the address that it is counted under', async () => {
    const answers: Response[] = []
    for (let host = 1; host <= 5; host += 1)
      answers.push(await from(`192.0.2.${host}`, '/api/whoami-v2', 'hf_wrong'))
    expect(statuses(answers)).toEqual([401, 401, 401, 429, 429])
  })
})

describe('by default', () => {
  beforeAll(() => open({ CAIRN_RATE_LIMITS: '' }))
  afterAll(close)

  test('only wrong credentials are counted', async () => {
    const answers = await times(101, () =>
      hub.fetch(null, '/api/whoami-v2', { headers: { Authorization: 'Bearer hf_wrong' } }),
    )
    expect([answers[99]?.status, answers[100]?.status]).toEqual([401, 429])
    expect((await hub.fetch(null, '/api/models')).headers.get('RateLimit')).toBeNull()
  })
})
