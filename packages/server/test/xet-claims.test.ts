/**
 * What others say of a file: bob knows every hash of alice's, and claims what is not true. Neither gives him a byte of hers
 * nor changes one that she or carol downloads. Once in domains of their own, once in one that all share.
 */
import { parseXetHash } from '@cairn/protocol/xet/hash'
import { formatShard, type Shard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { batch, commit, commitBody, createRepo, getJson } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post } from './refusal.ts'
import {
  casAccess,
  claiming,
  fileOver,
  firstChunk,
  LARGE,
  makeXetFile,
  postBytes,
  uploadXet,
  xetLine,
  type CasAccess,
  type XetFile,
} from './xet-client.ts'

type Account = Parameters<TestHub['fetch']>[0]

const HERS = 'alice/private'
const HIS = 'bob/own'
const object = ({ sha256: oid, content }: XetFile) => ({ oid, size: content.length })

describe.each(['owner', 'instance'] as const)('deduplication by %s', (dedupDomain) => {
  let hub: TestHub
  /** Hers: one that was proven at once, one whose proof a job has to make, and one of which he claims nothing. */
  const small = makeXetFile(71)
  const large = makeXetFile(72, LARGE)
  const silent = makeXetFile(70)
  let hers: CasAccess
  let his: CasAccess
  beforeAll(async () => {
    hub = await startHub({ env: { CAIRN_DEDUP_DOMAIN: dedupDomain } })
    await createRepo(hub, 'alice', HERS, { private: true })
    await createRepo(hub, 'bob', HIS)
    hers = await casAccess(hub, 'alice', HERS, 'write')
    his = await casAccess(hub, 'bob', HIS, 'write')
  })
  afterAll(() => hub[Symbol.asyncDispose]())

  async function download(account: Account, id: string, path: string): Promise<Buffer> {
    const answer = await hub.fetch(account, `/${id}/resolve/main/${path}`)
    expect(answer.status).toBe(200)
    return Buffer.from(await answer.arrayBuffer())
  }

  async function isPresent(account: Account, id: string, made: XetFile, transfer = 'xet'): Promise<boolean> {
    const { objects } = await batch(hub, account, id, 'upload', [object(made)], [transfer])
    expect(objects[0]?.error).toBeUndefined()
    return objects[0]?.actions === undefined
  }

  const proven = () => expect.poll(() => hub.hub.ops.catalog.rows.outbox.count(), { timeout: 25_000 }).toBe(0)

  test('what he claimed before she came does not touch what she uploads', async () => {
    const lie = 'cd'.repeat(32)
    // The true bytes under a false name, and other bytes under the true one.
    await uploadXet(his, claiming(makeXetFile(73, LARGE), large.sha256))
    await his.fetch(`/v1/xorbs/default/${large.xorb.hash}`, postBytes(large.xorb.bytes))
    await his.fetch('/v1/shards', postBytes(formatShard(claiming(large, lie).shard)))
    expect(await isPresent('alice', HERS, large)).toBe(false)
    await hers.fetch(`/v1/xorbs/default/${large.xorb.hash}`, postBytes(large.xorb.bytes))
    const shard = await hers.fetch('/v1/shards', postBytes(formatShard(large.shard)))
    expect(await shard.json()).toEqual({ result: 1 })
    await uploadXet(hers, small)
    await uploadXet(hers, silent)
    await commit(hub, 'alice', HERS, [xetLine('large.bin', large), xetLine('small.bin', small)])
    expect((await download('alice', HERS, 'large.bin')).equals(large.content)).toBe(true)
    await proven()
    expect((await download('alice', HERS, 'large.bin')).equals(large.content)).toBe(true)
    // His own names are quarantined, each for itself.
    const { objects } = await batch(hub, 'bob', HIS, 'download', [{ oid: lie, size: large.content.length }])
    expect(objects[0]?.error).toMatchObject({ code: 409 })
  })

  test('what he claims afterwards neither', async () => {
    const lies = [claiming(makeXetFile(74, LARGE), small.sha256), claiming(makeXetFile(75), large.sha256)]
    await uploadXet(his, lies[0]!)
    await his.fetch(`/v1/xorbs/default/${lies[1]!.xorb.hash}`, postBytes(lies[1]!.xorb.bytes))
    await expectRefusal(await his.fetch('/v1/shards', postBytes(formatShard(lies[1]!.shard))), 'BadRequest')
    await proven()
    for (const [path, made] of [
      ['small.bin', small],
      ['large.bin', large],
    ] as const)
      expect((await download('alice', HERS, path)).equals(made.content)).toBe(true)
  })

  test('nor does it stand in for what a third one uploads', async () => {
    const carols = 'bob/for-carol'
    await createRepo(hub, 'bob', carols)
    const cas = await casAccess(hub, 'bob', carols, 'write')
    // In this repository of the same owner only the true bytes count, and they are asked for.
    const lied = makeXetFile(76)
    await uploadXet(his, claiming(makeXetFile(77, LARGE), lied.sha256))
    expect(await isPresent('bob', carols, lied)).toBe(false)
    await uploadXet(cas, lied)
    await commit(hub, 'bob', carols, [xetLine('x.bin', lied)])
    await proven()
    expect((await download(null, carols, 'x.bin')).equals(lied.content)).toBe(true)
  })

  test('what he knows of hers opens nothing', async () => {
    await expectUnchanged(hub, async () => {
      for (const version of ['v1', 'v2'])
        await expectRefusal(await his.fetch(`/${version}/reconstructions/${silent.hash}`), 'NotFound')
      await expectRefusal(await his.fetch(`/v1/files/${silent.hash}`), 'NotFound')
      const { objects } = await batch(hub, 'bob', HIS, 'download', [object(silent)])
      expect(objects[0]?.error?.code).toBe(404)
      for (const transfer of ['xet', 'basic', 'multipart'])
        expect(await isPresent('bob', HIS, silent, transfer)).toBe(false)
      const body = commitBody([xetLine('stolen.bin', silent)])
      await expectRefusal(await hub.fetch('bob', `/api/models/${HIS}/commit/main`, body), 'BadRequest')
      const into = post({ target: { type: 'model', name: HIS }, files: [{ sha256: silent.sha256 }] })
      const duplicate = await hub.fetch('bob', `/api/models/${HERS}/lfs-files/duplicate`, into)
      await expectRefusal(duplicate, 'RepoNotFound')
    })
  })

  test('an address that she was given is hers: it ends with her right, and fits no other xorb', async () => {
    const plan = (await (await hers.fetch(`/v1/reconstructions/${small.hash}`)).json()) as {
      fetch_info: Record<string, { url: string }[]>
    }
    const href = plan.fetch_info[small.xorb.hash]?.[0]?.url ?? ''
    const url = new URL(href)
    url.pathname = url.pathname.replace(small.xorb.hash, large.xorb.hash)
    await expectRefusal(await fetch(url), 'Forbidden')
    const other = new URL(href)
    const { _id } = await getJson<{ _id: string }>(hub, 'bob', `/api/models/${HIS}`)
    other.searchParams.set('repo', _id)
    await expectRefusal(await fetch(other), 'Forbidden')
  })

  const shards: Record<string, (made: XetFile) => Shard> = {
    'that names her xorb with every proof': (made) => made.shard,
    'that makes a file of a part of it': (made) => ({
      files: [fileOver(made.content, [{ xorb: made.xorb, chunkStart: 1, chunkEnd: 2 }])],
      xorbs: [],
    }),
    'that mixes it with his own': (made) => {
      const own = makeXetFile(78)
      const ranges = [made, own].map(({ xorb }) => ({ xorb, chunkStart: 0, chunkEnd: 3 }))
      return { files: [fileOver(made.content, ranges)], xorbs: own.shard.xorbs }
    },
  }
  if (dedupDomain === 'owner')
    test.each(Object.entries(shards))('a shard %s is refused', async (_what, shard) => {
      await expectUnchanged(hub, async () => {
        const body = () => postBytes(formatShard(shard(small)))
        for (const path of ['/v1/shards', '/v2/shards'])
          await expectRefusal(await his.fetch(path, body()), 'BadRequest')
        const head = await his.fetch(`/v1/xorbs/default/${small.xorb.hash}`, { method: 'HEAD' })
        expect(head.status).toBe(404)
        await expectRefusal(await his.fetch(`/v1/chunks/default/${firstChunk(small)}`), 'NotFound')
      })
    })
  // Where all share a domain, who knows every chunk hash of a xorb is taken to have its bytes: that is what the option
  // gives up. Guesses are refused there, too.
  else
    test('a shard that guesses is refused', async () => {
      const [file] = small.shard.files
      const guessed = { ...small.shard, files: [{ ...file!, verification: new Uint8Array(32) }] }
      const renamed = { ...small.shard, files: [{ ...file!, hash: parseXetHash('12'.repeat(32)) }] }
      await expectUnchanged(hub, async () => {
        for (const shard of [guessed, renamed])
          await expectRefusal(await his.fetch('/v1/shards', postBytes(formatShard(shard))), 'BadRequest')
      })
    })

  test('what one repository has is no answer to another, of the same owner or not', async () => {
    await createRepo(hub, 'alice', 'alice/second')
    for (const made of [silent, large])
      for (const [account, id] of [
        ['alice', 'alice/second'],
        ['bob', 'bob/for-carol'],
      ] as const)
        expect(await isPresent(account, id, made)).toBe(false)
    expect([await isPresent('alice', HERS, silent), await isPresent('alice', HERS, large)]).toEqual([
      true,
      true,
    ])
  })
})
