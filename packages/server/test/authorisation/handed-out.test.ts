/**
 * What the hub hands out to be used without a token of an account: CAS tokens, addresses of LFS objects, parts and
 * xorbs. Each is good for what it was made for, and as long as whoever got it may do that.
 */
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { formatXetHash } from '@cairn/protocol/xet/hash'
import { formatShard } from '@cairn/protocol/xet/shard'
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { batch, createRepo, getJson, sha256, uploadLfs } from '../client.ts'
import { post } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes } from '../xet-client.ts'
import { CAS_ROUTES } from './policy.ts'

const HOUR_MS = 3600_000
const CONTENT = 'weights of somebody'
const OBJECT = { oid: sha256(CONTENT), size: Buffer.byteLength(CONTENT) }
const NEW = { oid: sha256('something new'), size: 13 }
const LARGE = { oid: sha256('l'.repeat(100)), size: 100 }
const FILE = makeXetFile(21)
const CHUNK = formatXetHash(decodeChunkTable(FILE.xorb.chunks).hash(0))

type Account = Parameters<TestHub['fetch']>[0]

let hub: TestHub
let now = Date.now()
beforeAll(async () => {
  hub = await startHub({ clock: () => now, lfs: { basicMaxBytes: 64, partBytes: 60 } })
  await createRepo(hub, 'bob', 'bob/own')
})
afterAll(() => hub[Symbol.asyncDispose]())

let made = 0

/** A repository with an LFS object and a Xet file. */
async function fill(namespace: string, options = { private: true }): Promise<string> {
  const id = await createRepo(hub, 'alice', `${namespace}/r${made++}`, options)
  await uploadLfs(hub, 'alice', id, CONTENT)
  const cas = await casAccess(hub, 'alice', id, 'write')
  await cas.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`, postBytes(FILE.xorb.bytes))
  expect((await cas.fetch('/v1/shards', postBytes(formatShard(FILE.shard)))).status).toBe(200)
  return id
}

async function operate(resource: string, verb: string, args: object): Promise<Record<string, string>> {
  return (await hub.hub.admin({ resource, verb, args })) as Record<string, string>
}

async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, init)
  await answer.arrayBuffer()
  return answer.status
}

/** Addresses of an LFS object, of one that is to come, and of one that goes up in parts. */
async function lfsAddresses(
  as: Account,
  id: string,
  operation: 'read' | 'write',
): Promise<Record<string, string>> {
  const down = await batch(hub, as, id, 'download', [OBJECT])
  const found: Record<string, string> = { get: down.objects[0]?.actions?.['download']?.href ?? '' }
  if (operation === 'read') return found
  const up = await batch(hub, as, id, 'upload', [NEW, LARGE])
  const [small, large] = up.objects.map(({ actions }) => actions?.['upload'])
  return {
    ...found,
    put: small?.href ?? '',
    verify: up.objects[0]?.actions?.['verify']?.href ?? '',
    part: large?.header?.['00001'] ?? '',
    complete: large?.href ?? '',
  }
}

/** The address of a xorb, as a plan for the file has it. */
async function xorbAddress(as: Account, id: string): Promise<string> {
  const reader = await casAccess(hub, as, id, 'read')
  const plan = (await (await reader.fetch(`/v1/reconstructions/${FILE.hash}`)).json()) as {
    fetch_info: Record<string, { url: string }[]>
  }
  return plan.fetch_info[FILE.xorb.hash]?.[0]?.url ?? ''
}

const USES: Readonly<Record<string, () => RequestInit>> = {
  get: () => ({}),
  put: () => ({ method: 'PUT', body: 'something new' }),
  verify: () => post(NEW),
  part: () => ({ method: 'PUT', body: 'l'.repeat(60) }),
  complete: () => post({ oid: LARGE.oid, parts: [] }),
}

describe('CAS tokens', () => {
  const tokens: Record<string, string | null> = {}
  let casUrl = ''
  beforeAll(async () => {
    const id = await fill('alice')
    const write = await casAccess(hub, 'alice', id, 'write')
    casUrl = write.casUrl
    const read = await casAccess(hub, 'reader', id, 'read')
    const [payload = '', signature = ''] = write.accessToken.split('.')
    const scope = Buffer.from(read.accessToken.split('.')[0] ?? '', 'base64url')
    const widened = Buffer.from(scope.toString().replace('"read"', '"write"')).toString('base64url')
    const empty = await createRepo(hub, 'alice', `alice/r${made++}`)
    const revoked = await operate('token', 'create', { user: 'alice', name: 'r', role: 'write' })
    Object.assign(tokens, {
      none: null,
      'a hub token': TOKENS.alice,
      garbage: 'abc.def',
      'of a changed signature': `${payload}.${signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}`,
      'to read, changed to write': `${widened}.${read.accessToken.split('.')[1]}`,
      'to write': write.accessToken,
      'to read': read.accessToken,
      'of another repository': (await casAccess(hub, 'alice', empty, 'read')).accessToken,
      'of another owner': (await casAccess(hub, 'bob', 'bob/own', 'write')).accessToken,
      'of a revoked token': (await casAccess(hub, revoked['token'] as 'alice', id, 'write')).accessToken,
    })
    await operate('token', 'delete', { user: 'alice', token: 'r' })
  })

  const EXPECTED = {
    read: [401, 401, 401, 401, 401, 200, 200, 404, 403, 403],
    write: [401, 401, 401, 401, 401, 200, 403, 403, 403, 403],
    signature: [403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
  } as const

  test.each(Object.entries(CAS_ROUTES))('%s', async (route, need) => {
    const [verb = '', pattern = ''] = route.split(' ')
    const path = pattern
      .replace('/cas/g1/:domain', '')
      .replace(':prefix', 'default')
      .replace(':hash', pattern.includes('/chunk') ? CHUNK : FILE.xorb.hash)
      .replace(':file', FILE.hash)
    // The size of a whole xorb can be asked for, its bytes cannot.
    const method = verb === 'GET' && /\/(xorb|files)/.test(pattern) ? 'HEAD' : verb
    const bytes = pattern.includes('/shard') ? formatShard(FILE.shard) : FILE.xorb.bytes
    const found: Record<string, number> = {}
    for (const [name, token] of Object.entries(tokens)) {
      const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` }
      const body = verb === 'POST' ? postBytes(bytes) : {}
      found[name] = await statusOf(casUrl + path, { ...body, method, headers })
    }
    expect(found).toEqual(
      Object.fromEntries(Object.keys(tokens).map((name, index) => [name, EXPECTED[need][index]])),
    )
  })
})

describe('what was handed out ends', () => {
  interface Case {
    /** Whose it is, how it is taken away. Of the repository's namespace `acme`, where alice is administrator. */
    who: (id: string) => Promise<Account>
    end: (id: string) => Promise<unknown>
    private?: boolean
    /** What there is for somebody who may only read. */
    scope?: 'read'
    /** What goes on: reading, where only the right to write was taken away. */
    goesOn?: readonly string[]
  }
  let count = 0
  let last = ''
  async function tokenOf(user: string, more: object = {}): Promise<Account> {
    last = `t${count++}`
    const { token = '' } = await operate('token', 'create', { user, name: last, role: 'write', ...more })
    return token as 'alice'
  }
  const row = async (id: string) => {
    const [namespace = '', name = ''] = id.split('/')
    return (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', namespace, name))?.id ?? ''
  }
  const update = async (id: string, change: { private?: boolean; disabled?: boolean }) => {
    const repoId = await row(id)
    await hub.hub.ops.catalog.tx((rows) => rows.repos.update(repoId, change))
  }
  const owner = () => tokenOf('alice')

  const cases: Readonly<Record<string, Case>> = {
    'when its token is revoked': {
      who: owner,
      end: () => operate('token', 'delete', { user: 'alice', token: last }),
    },
    'when its token gets another string': {
      who: owner,
      end: () => getJson(hub, 'alice', `/api/settings/tokens/${last}/rotate`, { method: 'POST' }),
    },
    'when its token expires': {
      who: () => tokenOf('alice', { expiresInDays: 0.5 / 24 }),
      end: () => Promise.resolve((now += HOUR_MS / 2)),
    },
    'when the member leaves the organization': {
      async who() {
        await operate('member', 'create', { org: 'acme', user: 'bob', role: 'write' })
        return 'bob'
      },
      end: () => operate('member', 'delete', { org: 'acme', user: 'bob' }),
    },
    'when the member may only read': {
      async who() {
        await operate('member', 'create', { org: 'acme', user: 'bob', role: 'write' })
        return 'bob'
      },
      end: () => operate('member', 'create', { org: 'acme', user: 'bob', role: 'read' }),
      goesOn: ['reconstruction', 'fetch', 'get'],
    },
    'when the account is deleted': {
      async who() {
        await operate('user', 'create', { name: 'carol' })
        await operate('member', 'create', { org: 'acme', user: 'carol', role: 'write' })
        return tokenOf('carol')
      },
      end: () => operate('user', 'delete', { name: 'carol' }),
    },
    'when the repository is deleted': {
      who: owner,
      end: (id) => hub.fetch('alice', '/api/repos/delete', post({ name: id }, 'DELETE')),
    },
    'when the repository is disabled': { who: owner, end: (id) => update(id, { disabled: true }) },
    'for strangers, when the repository becomes private': {
      async who() {
        await operate('user', 'create', { name: 'dave' })
        return tokenOf('dave')
      },
      end: (id) => update(id, { private: true }),
      private: false,
      scope: 'read',
    },
    'for the anonymous, when the repository becomes private': {
      who: () => Promise.resolve(null),
      end: (id) => update(id, { private: true }),
      private: false,
      scope: 'read',
    },
  }

  test.each(Object.entries(cases))('%s', async (_what, given) => {
    const { who, end, private: isPrivate = true } = given
    const scope = given.scope ?? 'write'
    const id = await fill('acme', { private: isPrivate })
    const as = await who(id)
    const addresses = await lfsAddresses(as, id, scope)
    const fetchUrl = await xorbAddress(as, id)
    const cas = await casAccess(hub, as, id, scope)
    const use = async (): Promise<Record<string, number>> => {
      const found: Record<string, number> = {
        reconstruction: (await cas.fetch(`/v1/reconstructions/${FILE.hash}`)).status,
        fetch: await statusOf(fetchUrl),
      }
      if (scope === 'write')
        found['shard'] = (await cas.fetch('/v1/shards', postBytes(formatShard(FILE.shard)))).status
      for (const [name, url] of Object.entries(addresses)) found[name] = await statusOf(url, USES[name]?.())
      return found
    }
    const before = await use()
    // The object in parts is not complete yet, which is to be told to whoever may complete it.
    expect(before).toEqual({
      reconstruction: 200,
      fetch: 206,
      get: 200,
      ...(scope === 'write' ? { shard: 200, put: 200, verify: 200, part: 200, complete: 422 } : {}),
    })
    await end(id)
    const goesOn = given.goesOn ?? []
    expect(await use()).toEqual(
      Object.fromEntries(
        Object.entries(before).map(([name, status]) => [name, goesOn.includes(name) ? status : 403]),
      ),
    )
  })
})

describe('a changed address', () => {
  let id = ''
  let twin = ''
  let addresses: Record<string, string> = {}
  beforeAll(async () => {
    id = await fill('alice')
    twin = await fill('alice')
    addresses = await lfsAddresses('alice', id, 'write')
    addresses['fetch'] = await xorbAddress('alice', id)
  })

  const parameter = (name: string, value: (old: string) => string) => (url: string) => {
    const changed = new URL(url)
    changed.searchParams.set(name, value(changed.searchParams.get(name) ?? ''))
    return changed.href
  }
  const all: Record<string, (url: string) => string> = {
    'without a signature': (url) => url.replace(/signature=[^&]*/, ''),
    'with another signature': parameter('signature', (old) =>
      old.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')),
    ),
    'with a shorter signature': parameter('signature', (old) => old.slice(0, -1)),
    'of a longer life': parameter('expires', (old) => String(Number(old) + 1)),
    'of eternal life': parameter('expires', () => 'Infinity'),
    'for another bearer': parameter('by', () => ''),
    'for the operator': parameter('by', () => 'operator'),
  }
  const lfs: typeof all = {
    'of another repository': (url) => url.replace(id, twin),
    'of a repository that is not there': (url) => url.replace(id, 'alice/none'),
    'of another object': (url) => url.replace(/objects\/[0-9a-f]{64}/, `objects/${sha256('another')}`),
    'of another size': parameter('size', (old) => String(Number(old) - 1)),
  }
  const parts: typeof all = {
    'of another upload': (url) => url.replace(/parts\/[^/?]+/, 'parts/another'),
  }
  // Without a signature it is an address for those who have a token.
  const { 'without a signature': _, ...signed } = all
  const changes: Record<string, typeof all> = {
    verify: { ...signed, 'of another repository': (url) => url.replace(id, twin) },
    get: { ...all, ...lfs },
    put: { ...all, ...lfs },
    part: { ...all, ...lfs, ...parts, 'of another part': (url) => url.replace(/\/1\?/, '/2?') },
    complete: { ...all, ...lfs, ...parts },
    fetch: {
      ...all,
      'of another range': parameter('range', () => '0-10'),
      'of another xorb': (url) => url.replace(FILE.xorb.hash, makeXetFile(22).xorb.hash),
      'of another owner': (url) => url.replace(/g1\/[^/]+/, 'g1/another'),
      'through another repository': parameter('repo', () => 'another'),
    },
  }
  const table = Object.entries(changes).flatMap(([name, list]) =>
    Object.entries(list).map(([what, change]) => ({ name, what, change })),
  )

  test.each(table)('$name $what', async ({ name, change }) => {
    const url = addresses[name] ?? ''
    expect(change(url)).not.toBe(url)
    expect(await statusOf(change(url), USES[name]?.())).toBe(403)
  })

  test('is not good for another method, nor one use for another', async () => {
    const { get = '', put = '', verify = '', part = '', complete = '' } = addresses
    const crossed: [string, string][] = [
      [get, 'put'],
      [put, 'get'],
      [verify.replace('/verify?', `/objects/${NEW.oid}?`), 'put'],
      [put.replace(/objects\/\w+/, 'verify'), 'verify'],
      [put.replace(NEW.oid, OBJECT.oid).replace(/size=\d+/, `size=${OBJECT.size}`), 'get'],
      [part.replace(/\/1\?/, '?'), 'complete'],
      [complete.replace('?', '/1?'), 'part'],
      [get.replace('?', '/parts/x/1?'), 'part'],
    ]
    for (const [url, use] of crossed) expect([use, await statusOf(url, USES[use]?.())]).toEqual([use, 403])
  })

  test('a xorb is sent in the signed range only', async () => {
    const { fetch: url = '' } = addresses
    expect(await statusOf(url, { headers: { Range: 'bytes=0-10' } })).toBe(403)
    expect(await statusOf(url)).toBe(206)
  })

  test('each ends with its time', async () => {
    now += 25 * HOUR_MS
    for (const [name, url] of Object.entries(addresses))
      expect([name, await statusOf(url, USES[name]?.())]).toEqual([name, 403])
  })
})
