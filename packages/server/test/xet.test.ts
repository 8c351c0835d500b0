/** Xet: hub-api.md §9, xet.md §6 to §10. */
import { formatXetHash } from '@cairn/protocol/xet/hash'
import { parseShard, formatShard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, commitBody, createRepo, getJson } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { announce, expectRefusal, type Refusal } from './refusal.ts'
import {
  casAccess,
  claiming,
  LARGE,
  makeXetFile,
  postBytes,
  uploadXet,
  xetLine,
  type CasAccess,
} from './xet-client.ts'

const ID = 'alice/tiny'
const FILE = makeXetFile(1)

let now = Date.UTC(2026, 0, 1)
let hub: TestHub
let writer: CasAccess
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
  await createRepo(hub, 'alice', ID)
  writer = await casAccess(hub, 'alice', ID, 'write')
  await uploadXet(writer, FILE)
  await commit(hub, 'alice', ID, [xetLine('model.safetensors', FILE)])
})
afterAll(() => hub[Symbol.asyncDispose]())

interface PlanV1 {
  offset_into_first_range: number
  terms: { hash: string; unpacked_length: number; range: { start: number; end: number } }[]
  fetch_info: Record<
    string,
    { range: { start: number; end: number }; url: string; url_range: { start: number; end: number } }[]
  >
}
interface PlanV2 extends Omit<PlanV1, 'fetch_info'> {
  xorbs: Record<
    string,
    {
      url: string
      ranges: { chunks: { start: number; end: number }; bytes: { start: number; end: number } }[]
    }[]
  >
}

describe('a token', () => {
  test('comes as headers and as JSON', async () => {
    const answer = await hub.fetch('alice', `/api/models/${ID}/xet-write-token/main`)
    const json = (await answer.json()) as { accessToken: string; exp: number; casUrl: string }
    expect(json.casUrl.startsWith(`${hub.url}/`)).toBe(true)
    expect(json.exp * 1000).toBeGreaterThan(now)
    expect([
      answer.headers.get('X-Xet-Access-Token'),
      answer.headers.get('X-Xet-Token-Expiration'),
      answer.headers.get('X-Xet-Cas-Url'),
      answer.headers.get('Cache-Control'),
    ]).toEqual([json.accessToken, String(json.exp), json.casUrl, 'no-store'])
  })

  test('to read does not write', async () => {
    const reader = await casAccess(hub, null, ID, 'read')
    const made = makeXetFile(7)
    await expectUnchanged(hub, async () => {
      await expectRefusal(
        await reader.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes)),
        'Forbidden',
      )
      await expectRefusal(await reader.fetch('/v1/shards', postBytes(formatShard(made.shard))), 'Forbidden')
    })
  })

  const path = () => `${writer.casUrl}/v2/reconstructions/${FILE.hash}`
  test.each([
    ['missing', {}],
    ['not one of ours', { Authorization: 'Bearer x' }],
    ['an access token', { Authorization: `Bearer hf_alice${'0'.repeat(30)}` }],
  ])('that is %s opens nothing', async (_what, headers) => {
    await expectRefusal(await fetch(path(), { headers }), 'InvalidCredentials')
  })

  test('that was changed opens nothing', async () => {
    const [payload = '', signature] = writer.accessToken.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const forged = Buffer.from(JSON.stringify({ ...claims, e: 99_999_999_999 })).toString('base64url')
    const headers = { Authorization: `Bearer ${forged}.${signature}` }
    await expectRefusal(await fetch(path(), { headers }), 'InvalidCredentials')
  })

  test('refuses pull requests and an unknown revision', async () => {
    const base = `/api/models/${ID}`
    await expectRefusal(
      await hub.fetch('alice', `${base}/xet-write-token/None?create_pr=1`),
      'NotImplemented',
    )
    await expectRefusal(await hub.fetch('alice', `${base}/xet-read-token/none`), 'RevisionNotFound')
  })

  test('ends with the access token that it was made with', async () => {
    await createRepo(hub, 'alice', 'acme/shared', { private: true })
    const acme = await casAccess(hub, 'alice', 'acme/shared', 'write')
    await hub.hub.ops.catalog.tx(async (rows) => {
      const [org, alice] = [await rows.accounts.getByName('acme'), await rows.accounts.getByName('alice')]
      await rows.accounts.removeMember(org?.id ?? '', alice?.id ?? '')
    })
    await expectRefusal(await acme.fetch(`/v2/reconstructions/${FILE.hash}`), 'Forbidden')
  })
})

describe('upload', () => {
  test('what is there already is not inserted again', async () => {
    await expectUnchanged(hub, async () => {
      const xorb = await writer.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`, postBytes(FILE.xorb.bytes))
      expect(await xorb.json()).toEqual({ was_inserted: false })
      const shard = await writer.fetch('/v1/shards', postBytes(formatShard(FILE.shard)))
      expect(await shard.json()).toEqual({ result: 0 })
    })
  })

  test('a shard is kept as it came, once', async () => {
    const { blobs, catalog } = hub.hub.ops
    const repo = await catalog.rows.repos.getByName('default', 'model', 'alice', 'tiny')
    const kept: Buffer[] = []
    for await (const { key } of blobs.list(`shards/${repo?.domainId}/${repo?.id}/`)) {
      const pieces: Uint8Array[] = []
      for await (const piece of await blobs.read(key)) pieces.push(Uint8Array.from(piece))
      kept.push(Buffer.concat(pieces))
    }
    expect(kept).toEqual([Buffer.from(formatShard(FILE.shard))])
  })

  test('the second version of the shard route ends with a result', async () => {
    const answer = await writer.fetch('/v2/shards', postBytes(formatShard(FILE.shard)))
    const events = (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(events.at(-1)).toEqual({ type: 'result', result: 0 })
  })

  test('a xorb has a size', async () => {
    const answer = await writer.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`, { method: 'HEAD' })
    expect([answer.status, answer.headers.get('Content-Length')]).toEqual([
      200,
      String(FILE.xorb.bytes.length),
    ])
    await expectRefusal(await writer.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`), 'NotImplemented')
  })

  const made = makeXetFile(2)
  const { bytes, hash } = made.xorb
  const flipped = Uint8Array.from(bytes, (byte, index) => (index === 1000 ? byte ^ 1 : byte))
  const xorbs: Record<string, [path: string, body: Uint8Array]> = {
    'cut short': [hash, bytes.subarray(0, bytes.length - 1)],
    'cut short between two chunks': [hash, bytes.subarray(0, 20_008)],
    'cut short in a header': [hash, bytes.subarray(0, 20_010)],
    empty: [hash, new Uint8Array(0)],
    'with a changed byte': [hash, flipped],
    'with more behind it': [hash, Buffer.concat([bytes, new Uint8Array(3)])],
    'under another name': ['0'.repeat(64), bytes],
    'under a name that is none': ['x', bytes],
    'under a name in capitals': ['A'.repeat(64), bytes],
    'that is noise': [hash, makeXetFile(3).content],
  }
  test.each(Object.entries(xorbs))('refuses a xorb %s', async (_what, [name, body]) => {
    await expectUnchanged(hub, async () =>
      expectRefusal(await writer.fetch(`/v1/xorbs/default/${name}`, postBytes(body)), 'BadRequest'),
    )
  })

  test('refuses xorbs and shards beyond their limit', async () => {
    await expectUnchanged(hub, async () => {
      for (const path of [`/v1/xorbs/default/${hash}`, '/v1/shards', '/v2/shards'])
        await expectRefusal(
          await announce(hub, writer.accessToken, writer.casUrl + path, 2 ** 30),
          'TooLarge',
        )
    })
  })

  const shard = formatShard(made.shard)
  const [file] = made.shard.files
  const shards: Record<string, () => Uint8Array> = {
    'that names a missing xorb': () => shard,
    'that is cut short': () => shard.subarray(0, 100),
    'that is empty': () => new Uint8Array(0),
    'that is none': () => new Uint8Array(200),
    'whose file has another hash': () =>
      formatShard({
        ...FILE.shard,
        files: FILE.shard.files.map((known) => ({ ...known, hash: made.hash })),
      }),
    'without proof of its terms': () =>
      formatShard({ ...FILE.shard, files: FILE.shard.files.map((f) => ({ ...f, verification: null })) }),
    'with false proof of its terms': () =>
      formatShard({
        ...FILE.shard,
        files: FILE.shard.files.map((f) => ({ ...f, verification: file?.verification ?? null })),
      }),
  }
  test.each(Object.entries(shards))('refuses a shard %s', async (_what, body) => {
    await expectUnchanged(hub, async () => {
      await expectRefusal(await writer.fetch('/v1/shards', postBytes(body())), 'BadRequest')
      await expectRefusal(await writer.fetch('/v2/shards', postBytes(body())), 'BadRequest')
    })
  })
})

describe('download', () => {
  test('over HTTP, whole and in a range', async () => {
    const address = `/${ID}/resolve/main/model.safetensors`
    const whole = await hub.fetch(null, address)
    expect(Buffer.from(await whole.arrayBuffer()).equals(FILE.content)).toBe(true)
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      etag: `"${FILE.sha256}"`,
      'x-linked-etag': `"${FILE.sha256}"`,
      'x-linked-size': String(FILE.content.length),
      'x-xet-hash': FILE.hash,
    })
    const links = whole.headers.get('Link') ?? ''
    for (const rel of ['xet-auth', 'xet-reconstruction-info'])
      expect(links).toMatch(new RegExp(`<${hub.url}/[^>]+>; rel="${rel}"`))
    const part = await hub.fetch(null, address, { headers: { Range: 'bytes=19990-20010' } })
    expect(Buffer.from(await part.arrayBuffer()).equals(FILE.content.subarray(19_990, 20_011))).toBe(true)
  })

  test('the entry of a tree knows the xet hash', async () => {
    const tree = await getJson<{ path: string }[]>(hub, null, `/api/models/${ID}/tree/main`)
    expect(tree.find(({ path }) => path === 'model.safetensors')).toMatchObject({
      xetHash: FILE.hash,
      size: FILE.content.length,
      lfs: { oid: FILE.sha256 },
    })
  })

  test('JavaScript asks what the file is and gets its hash', async () => {
    const answer = await hub.fetch(null, `/${ID}/resolve/main/model.safetensors`, {
      headers: { Accept: 'application/vnd.xet-fileinfo+json, */*', Range: 'bytes=0-0' },
    })
    expect(answer.headers.get('Content-Type')).toBe('application/vnd.xet-fileinfo+json')
    expect(answer.headers.get('X-Linked-Size')).toBe(String(FILE.content.length))
    expect(await answer.json()).toMatchObject({ hash: FILE.hash })
  })

  async function plans(headers: Record<string, string> = {}): Promise<[PlanV1, PlanV2]> {
    const reader = await casAccess(hub, null, ID, 'read')
    const [one, two] = await Promise.all(
      ['v1', 'v2'].map((version) => reader.fetch(`/${version}/reconstructions/${FILE.hash}`, { headers })),
    )
    expect([one?.status, two?.status]).toEqual([200, 200])
    return [(await one?.json()) as PlanV1, (await two?.json()) as PlanV2]
  }

  test('both versions of a plan lead to the bytes of the xorb', async () => {
    const [one, two] = await plans()
    const term = { hash: FILE.xorb.hash, unpacked_length: FILE.content.length, range: { start: 0, end: 3 } }
    expect(one.terms).toEqual([term])
    expect(two.terms).toEqual([term])
    const first = one.fetch_info[FILE.xorb.hash]?.[0]
    const second = two.xorbs[FILE.xorb.hash]?.[0]
    expect(second?.ranges).toEqual([
      { chunks: { start: 0, end: 3 }, bytes: { start: 0, end: FILE.xorb.bytes.length - 1 } },
    ])
    for (const [url, range] of [
      [first?.url, first?.url_range],
      [second?.url, second?.ranges[0]?.bytes],
    ] as const) {
      const answer = await fetch(url ?? '', { headers: { Range: `bytes=${range?.start}-${range?.end}` } })
      expect(answer.status).toBe(206)
      expect(Buffer.from(await answer.arrayBuffer()).equals(FILE.xorb.bytes)).toBe(true)
    }
  })

  test('the length of a HEAD is the size of the file', async () => {
    const reader = await casAccess(hub, null, ID, 'read')
    const head = await reader.fetch(`/v1/files/${FILE.hash}`, { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.headers.get('content-length')).toBe(String(FILE.content.length))
    await expectRefusal(await reader.fetch(`/v1/files/${FILE.hash}`), 'NotImplemented')
  })

  test('a range asks for the chunks that it needs', async () => {
    const [one, two] = await plans({ Range: 'bytes=20005-20010' })
    expect(one.offset_into_first_range).toBe(5)
    expect(one.terms).toMatchObject([{ range: { start: 1, end: 2 } }])
    expect(two.terms).toEqual(one.terms)
    const [far] = await plans({ Range: `bytes=0-${2n ** 64n - 2n}` })
    expect(far.terms).toMatchObject([{ range: { start: 0, end: 3 } }])
  })

  test('refuses a range past the end and files that are not there', async () => {
    const reader = await casAccess(hub, null, ID, 'read')
    const cases: [string, Record<string, string>, Refusal][] = [
      [FILE.hash, { Range: 'bytes=60000-60001' }, 'RangeNotSatisfiable'],
      ['0'.repeat(63) + '1', {}, 'NotFound'],
      ['x', {}, 'BadRequest'],
    ]
    for (const version of ['v1', 'v2'])
      for (const [hash, headers, refusal] of cases)
        await expectRefusal(await reader.fetch(`/${version}/reconstructions/${hash}`, { headers }), refusal)
  })

  test('a signed address is for one range of one xorb, for an hour', async () => {
    const [one] = await plans()
    const href = one.fetch_info[FILE.xorb.hash]?.[0]?.url ?? ''
    const changes: ((url: URL) => void)[] = [
      (url) => url.searchParams.delete('signature'),
      (url) => url.searchParams.set('signature', 'A'.repeat(32)),
      (url) => url.searchParams.set('range', '0-10'),
      (url) => url.searchParams.delete('range'),
      (url) => url.searchParams.set('expires', '99999999999'),
      (url) => void (url.pathname = url.pathname.replace(/[0-9a-f]{64}/, '0'.repeat(64))),
      (url) => void (url.pathname = url.pathname.replace(/g1\/[^/]+/, 'g1/other')),
    ]
    for (const change of changes) {
      const url = new URL(href)
      change(url)
      await expectRefusal(await fetch(url), 'Forbidden')
    }
    await expectRefusal(await fetch(href, { headers: { Range: 'bytes=0-1' } }), 'Forbidden')
    expect((await fetch(href)).status).toBe(206)
    now += 3601_000
    await expectRefusal(await fetch(href), 'Forbidden')
    // Tokens of the time before are expired now, too; whoever follows makes their own.
    now += 3600_000
    await expectRefusal(await writer.fetch(`/v1/reconstructions/${FILE.hash}`), 'InvalidCredentials')
    writer = await casAccess(hub, 'alice', ID, 'write')
  })
})

describe('deduplication', () => {
  test('a chunk leads to its xorb for whoever shares the domain', async () => {
    const first = FILE.shard.xorbs[0]?.chunks.subarray(0, 32) ?? new Uint8Array(32)
    const answer = await writer.fetch(`/v1/chunks/default-merkledb/${formatXetHash(first)}`)
    expect(answer.status).toBe(200)
    const reply = parseShard(new Uint8Array(await answer.arrayBuffer()))
    expect(reply.xorbs.map(({ hash }) => hash)).toEqual([FILE.xorb.hash])
    // Chunk hashes of others are told only under a key: they must not be learnt from a reply.
    expect(Buffer.from(reply.xorbs[0]?.chunks ?? []).includes(Buffer.from(first))).toBe(false)

    await createRepo(hub, 'bob', 'bob/dedup')
    const bob = await casAccess(hub, 'bob', 'bob/dedup', 'write')
    await expectRefusal(await bob.fetch(`/v1/chunks/default-merkledb/${formatXetHash(first)}`), 'NotFound')
  })

  test('a chunk that nobody uploaded is not known', async () => {
    await expectRefusal(await writer.fetch(`/v1/chunks/default-merkledb/${'0'.repeat(64)}`), 'NotFound')
    await expectRefusal(await writer.fetch('/v1/chunks/default-merkledb/x'), 'BadRequest')
  })
})

describe('what another repository has', () => {
  test('cannot be read, committed or claimed by its hash in a repository of the same owner', async () => {
    await createRepo(hub, 'alice', 'alice/second')
    const second = await casAccess(hub, 'alice', 'alice/second', 'write')
    await expectUnchanged(hub, async () => {
      await expectRefusal(await second.fetch(`/v1/reconstructions/${FILE.hash}`), 'NotFound')
      await expectRefusal(await second.fetch(`/v2/reconstructions/${FILE.hash}`), 'NotFound')
      await expectRefusal(await second.fetch(`/v1/files/${FILE.hash}`), 'NotFound')
      await expectRefusal(
        await hub.fetch('alice', '/api/models/alice/second/commit/main', commitBody([xetLine('x', FILE)])),
        'BadRequest',
      )
    })
  })

  test('cannot be touched from another domain, not even by naming its xorb in a shard', async () => {
    await createRepo(hub, 'bob', 'bob/thief')
    const bob = await casAccess(hub, 'bob', 'bob/thief', 'write')
    await expectUnchanged(hub, async () => {
      await expectRefusal(await bob.fetch('/v1/shards', postBytes(formatShard(FILE.shard))), 'BadRequest')
      const head = await bob.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`, { method: 'HEAD' })
      expect(head.status).toBe(404)
      await expectRefusal(await bob.fetch(`/v2/reconstructions/${FILE.hash}`), 'NotFound')
      const crossed = writer.casUrl + `/v2/reconstructions/${FILE.hash}`
      const headers = { Authorization: `Bearer ${bob.accessToken}` }
      await expectRefusal(await fetch(crossed, { headers }), 'Forbidden')
    })
    // Whoever has the bytes may upload them; nothing says that somebody else has them, too.
    await uploadXet(bob, FILE)
  })
})

describe('a sha256 that is not true', () => {
  const lie = 'ab'.repeat(32)

  test('of a small file is refused at once', async () => {
    const made = claiming(makeXetFile(11), lie)
    await writer.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    await expectUnchanged(hub, async () =>
      expectRefusal(await writer.fetch('/v1/shards', postBytes(formatShard(made.shard))), 'BadRequest'),
    )
  })

  test('of a large file is found out, and its path says why until the right bytes come', async () => {
    await createRepo(hub, 'alice', 'alice/liar')
    const liar = await casAccess(hub, 'alice', 'alice/liar', 'write')
    const wanted = makeXetFile(12, LARGE)
    const other = makeXetFile(13, LARGE)
    await uploadXet(liar, claiming(other, wanted.sha256))
    await commit(hub, 'alice', 'alice/liar', [xetLine('x.bin', wanted)])
    const address = '/alice/liar/resolve/main/x.bin'
    await expect
      .poll(async () => (await hub.fetch(null, address, { method: 'HEAD' })).status, { timeout: 25_000 })
      .toBe(409)
    await expectRefusal(await hub.fetch(null, address), 'Quarantined')
    const reason = `quarantined: the bytes that were uploaded as ${wanted.sha256} have the sha256 ${other.sha256}`
    const tree = await getJson<{ path: string }[]>(hub, null, '/api/models/alice/liar/tree/main')
    expect(tree.find(({ path }) => path === 'x.bin')).toMatchObject({ quarantined: reason })
    const object = { oid: wanted.sha256, size: wanted.content.length }
    const batch = async (operation: string) => {
      const body = JSON.stringify({ operation, transfers: ['basic'], objects: [object] })
      const init = { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }
      const answer = await hub.fetch('alice', '/alice/liar.git/info/lfs/objects/batch', init)
      return ((await answer.json()) as { objects: { error?: object; actions?: object }[] }).objects[0]
    }
    expect((await batch('download'))?.error).toEqual({ code: 409, message: reason })
    expect((await batch('upload'))?.actions).toBeDefined()
    // The file is there under its true name, and may be claimed by it.
    await commit(hub, 'alice', 'alice/liar', [xetLine('y.bin', other)])
    const known = await hub.fetch(null, '/alice/liar/resolve/main/y.bin')
    expect(Buffer.from(await known.arrayBuffer()).equals(other.content)).toBe(true)

    await uploadXet(liar, wanted)
    const healed = await hub.fetch(null, address)
    expect(Buffer.from(await healed.arrayBuffer()).equals(wanted.content)).toBe(true)
  })
})
