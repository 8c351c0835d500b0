/** LFS objects, xorbs and shards that are not what they say, and addresses that this hub did not sign. */
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'

import { formatShard, type Shard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { batch, batchBody, createRepo, lfsFile, sha256, uploadLfs, commit } from '../client.ts'
import { expectUnchanged } from '../hub-state.ts'
import { expectRefusal, post, refuses } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine, type CasAccess } from '../xet-client.ts'

let hub: TestHub
let now = Date.now()
let cas: CasAccess
const ID = 'alice/tiny'

beforeAll(async () => {
  hub = await startHub({ clock: () => now })
  await createRepo(hub, 'alice', ID)
  await createRepo(hub, 'alice', 'alice/other')
  cas = await casAccess(hub, 'alice', ID, 'write')
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function expectNothingStaged(): Promise<void> {
  expect(await readdir(join(hub.dataDir, 'blobs', 'staging'))).toEqual([])
}

async function uploadAddress(content: string): Promise<string> {
  const { objects } = await batch(hub, 'alice', ID, 'upload', [
    { oid: sha256(content), size: Buffer.byteLength(content) },
  ])
  return objects[0]?.actions?.['upload']?.href ?? ''
}

describe('bytes that are not those of the address', () => {
  test.each([
    ['others of that size', 'B'.repeat(1000), 'Invalid' as const],
    ['fewer', 'A'.repeat(999), 'Invalid' as const],
    ['more', 'A'.repeat(1001), 'TooLarge' as const],
    ['none', '', 'Invalid' as const],
  ])('%s', async (_name, body, refusal) => {
    const href = await uploadAddress('A'.repeat(1000))
    await expectUnchanged(hub, async () => expectRefusal(await fetch(href, { method: 'PUT', body }), refusal))
    await expectNothingStaged()
  })

  test('a PUT that breaks off', async () => {
    const href = new URL(await uploadAddress('A'.repeat(100_000)))
    await expectUnchanged(hub, async () => {
      const socket = connect(Number(href.port), href.hostname)
      const closed = new Promise((resolve) => socket.on('close', resolve))
      socket.on('error', () => undefined)
      socket.write(
        `PUT ${href.pathname}${href.search} HTTP/1.1\r\nHost: hub\r\nContent-Length: 100000\r\n\r\n`,
      )
      socket.write('A'.repeat(50_000))
      await new Promise((resolve) => setTimeout(resolve, 100))
      socket.destroy()
      await closed
      await expect.poll(() => readdir(join(hub.dataDir, 'blobs', 'staging'))).toEqual([])
    })
  })

  refuses(() => hub, {
    'an LFS batch without a list': {
      path: `/${ID}.git/info/lfs/objects/batch`,
      init: post({ operation: 'upload', objects: {} }),
      refusal: 'Invalid',
    },
    'a verification of what is not there': {
      path: `/${ID}.git/info/lfs/verify`,
      init: post({ oid: sha256('nothing'), size: 1 }),
      refusal: 'NotFound',
    },
  })

  test('a batch answers for each object, and wrong ones get no address', async () => {
    const objects = [
      { oid: 'z', size: 1 },
      { oid: sha256('a'), size: -1 },
      { oid: sha256('a'), size: 2 ** 60 },
      { oid: '../../../etc/passwd', size: 1 },
    ]
    const answer = await hub.fetch('alice', `/${ID}.git/info/lfs/objects/batch`, batchBody('upload', objects))
    const text = await answer.text()
    expect(answer.status, text).toBeLessThan(500)
    expect(text).not.toContain('href')
  })
})

describe('addresses', () => {
  const content = 'signed content'

  async function addresses(): Promise<Record<string, { method: string; url: string }>> {
    await uploadLfs(hub, 'alice', ID, content)
    const object = { oid: sha256(content), size: content.length }
    const { objects } = await batch(hub, 'alice', ID, 'download', [object])
    const made = makeXetFile(31)
    await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    await cas.fetch('/v1/shards', postBytes(formatShard(made.shard)))
    const plan = (await (await cas.fetch(`/v1/reconstructions/${made.hash}`)).json()) as {
      fetch_info: Record<string, { url: string }[]>
    }
    return {
      'to download': { method: 'GET', url: objects[0]?.actions?.['download']?.href ?? '' },
      'to upload': { method: 'PUT', url: await uploadAddress('something else') },
      'to fetch': { method: 'GET', url: Object.values(plan.fetch_info)[0]?.[0]?.url ?? '' },
    }
  }

  test('are good for what they are for, and for nothing else', async () => {
    const wrong: string[] = []
    for (const [name, { method, url }] of Object.entries(await addresses())) {
      const init = method === 'PUT' ? { method, body: 'something else' } : { method }
      expect((await fetch(url, { method: 'HEAD' })).status, name).toBe(
        method === 'PUT' ? 403 : name === 'to fetch' ? 206 : 200,
      )
      for (const [what, forged] of forgeries(new URL(url))) {
        const answer = await fetch(forged, init)
        await answer.arrayBuffer()
        if (answer.status < 400 || answer.status >= 500) wrong.push(`${name}, ${what}: ${answer.status}`)
      }
    }
    expect(wrong).toEqual([])
  })

  function* forgeries(url: URL): Generator<[string, string]> {
    for (const key of url.searchParams.keys()) {
      const value = url.searchParams.get(key) ?? ''
      const changes = [
        '',
        '0',
        'x',
        `${value}0`,
        value.slice(0, -1),
        value.toUpperCase() + ' ',
        '9'.repeat(400),
        '-1',
        '1e9',
        'NaN',
        '\0',
      ]
      for (const change of changes) {
        const forged = new URL(url)
        forged.searchParams.set(key, change)
        yield [`${key}=${JSON.stringify(change.slice(-20))}`, forged.href]
      }
      const without = new URL(url)
      without.searchParams.delete(key)
      yield [`without ${key}`, without.href]
    }
    yield [
      'of another repository',
      url.href.replace('alice/tiny', 'alice/other').replace(/g1\/\w+\//, 'g1/000000000000000000000000/'),
    ]
    yield ['of another object', url.href.replace(/[0-9a-f]{64}/, 'e'.repeat(64))]
  }

  test('end', async () => {
    const before = await addresses()
    const started = now
    now += 8 * 24 * 3600_000
    const statuses = []
    for (const { method, url } of Object.values(before))
      statuses.push(
        (await fetch(url, method === 'PUT' ? { method, body: 'something else' } : { method })).status,
      )
    now = started
    expect(statuses).toEqual([403, 403, 403])
  })

  test('a CAS token of another purpose, cut or changed opens nothing', async () => {
    const read = await casAccess(hub, 'alice', ID, 'read')
    const made = makeXetFile(32)
    const path = `/v1/xorbs/default/${made.xorb.hash}`
    expect((await read.fetch(path, postBytes(made.xorb.bytes))).status).toBe(403)
    const { accessToken, casUrl } = cas
    for (const token of [
      accessToken.slice(0, -1),
      `${accessToken}A`,
      accessToken.split('.')[0],
      'x',
      '{}',
      'a.b.c',
    ]) {
      const answer = await fetch(casUrl + path, {
        ...postBytes(made.xorb.bytes),
        headers: { Authorization: `Bearer ${token}` },
      })
      expect(answer.status, token).toBe(401)
    }
  })
})

describe('xorbs and shards', () => {
  test('a xorb with any byte changed, cut anywhere or continued is refused', async () => {
    const { xorb } = makeXetFile(41)
    const variants: Uint8Array[] = [new Uint8Array(), Buffer.concat([xorb.bytes, Buffer.from([1])])]
    for (let at = 0; at < xorb.bytes.length; at += at < 64 ? 1 : 4999) {
      const changed = Uint8Array.from(xorb.bytes)
      changed[at]! ^= 0x55
      variants.push(changed, xorb.bytes.subarray(0, at))
    }
    await expectUnchanged(hub, async () => {
      for (const bytes of variants)
        await expectRefusal(await cas.fetch(`/v1/xorbs/default/${xorb.hash}`, postBytes(bytes)), 'BadRequest')
    })
    await expectNothingStaged()
    await expectRefusal(
      await cas.fetch(`/v1/xorbs/default/${'e'.repeat(64)}`, postBytes(xorb.bytes)),
      'BadRequest',
    )
  })

  test('a shard with any record changed, or cut anywhere, registers nothing false', async () => {
    const made = makeXetFile(42)
    await uploadXet(cas, made)
    const shard = formatShard(made.shard)
    const statuses = new Set<number>()
    for (let at = 0; at < shard.length; at += 3) {
      const changed = Uint8Array.from(shard)
      changed[at]! ^= 0x41
      for (const bytes of [changed, shard.subarray(0, at)]) {
        const answer = await cas.fetch('/v1/shards', postBytes(bytes))
        statuses.add(answer.status)
        await answer.arrayBuffer()
      }
    }
    // Some bytes mean nothing: sizes on disk, unused fields, the sha256 that is a claim.
    expect([...statuses].toSorted((a, b) => a - b)).toEqual([200, 400])
    const head = await commit(hub, 'alice', ID, [xetLine('f.bin', made)])
    const got = await hub.fetch('alice', `/${ID}/resolve/${head}/f.bin`)
    expect(Buffer.from(await got.arrayBuffer()).equals(made.content)).toBe(true)
  })

  test('a shard that names what is not there, or claims counts without end', async () => {
    const made = makeXetFile(43)
    const missing: Shard = { ...made.shard }
    await expectUnchanged(hub, async () => {
      await expectRefusal(await cas.fetch('/v1/shards', postBytes(formatShard(missing))), 'BadRequest')
      for (const count of [0xffffffff, 0x7fffffff, 100_000]) {
        const bytes = Uint8Array.from(formatShard(missing))
        new DataView(bytes.buffer).setUint32(48 + 36, count, true)
        await expectRefusal(await cas.fetch('/v1/shards', postBytes(bytes)), 'BadRequest')
      }
    })
  })

  test('a range that no file has', async () => {
    const made = makeXetFile(44)
    await uploadXet(cas, made)
    for (const version of [1, 2])
      for (const range of [
        'bytes=60000-',
        'bytes=60000-60001',
        `bytes=${2n ** 64n}-${2n ** 65n}`,
        'bytes=5-1',
        'bytes=-',
        'x',
        'bytes=0-0,5-6',
      ]) {
        const answer = await cas.fetch(`/v${version}/reconstructions/${made.hash}`, {
          headers: { Range: range },
        })
        await answer.arrayBuffer()
        expect(answer.status, range).toSatisfy((status: number) => status === 200 || status === 416)
      }
  })
})

test('a pointer to bytes that another repository has is refused', async () => {
  await uploadLfs(hub, 'alice', ID, 'of tiny alone')
  const body = [{ key: 'header', value: { summary: 'x' } }, lfsFile('x', 'of tiny alone')]
  const init = { method: 'POST', body: body.map((line) => JSON.stringify(line)).join('\n') }
  await expectUnchanged(hub, async () =>
    expectRefusal(await hub.fetch('alice', '/api/models/alice/other/commit/main', init), 'BadRequest'),
  )
})
