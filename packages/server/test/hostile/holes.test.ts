/** What a client does who wants to break the hub: each story was a hole once. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

import { formatShard } from '@cairn/protocol/xet/shard'
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { describe, expect, onTestFinished, test } from 'vitest'

import type { BareGitStore } from '../../src/git/store.ts'
import { casAccess, claiming, LARGE, makeXetFile, postBytes, uploadXet, xetLine } from '../xet-client.ts'
import { longestHold } from './event-loop.ts'

function post(hub: TestHub, path: string, body: unknown): Promise<Response> {
  return hub.fetch('alice', path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function makeRepo(hub: TestHub, name: string): Promise<void> {
  expect((await post(hub, '/api/repos/create', { name })).status).toBe(200)
}

describe('refs that no git repository can hold', () => {
  test('a branch below a branch is refused, and the projection stays whole', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    expect((await post(hub, '/api/models/alice/a/branch/main%2Fx', {})).status).toBe(409)
    expect((await post(hub, '/api/models/alice/a/branch/x%2Fy', {})).status).toBe(200)
    expect((await post(hub, '/api/models/alice/a/branch/x', {})).status).toBe(409)
    expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([])
    const removed = await hub.fetch('alice', '/api/models/alice/a/branch/x%2Fy', { method: 'DELETE' })
    expect(removed.status).toBe(200)
    expect((await post(hub, '/api/models/alice/a/branch/x', {})).status).toBe(200)
  })

  test('a repository that cannot be repaired does not keep the hub from starting', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'cairn-hostile-'))
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
    {
      await using hub = await startHub({ dataDir })
      await makeRepo(hub, 'a')
      const { catalog } = hub.hub.ops
      const repo = await catalog.rows.repos.getByName('default', 'model', 'alice', 'a')
      const main = await catalog.rows.refs.get(repo!.id, 'refs/heads/main')
      await catalog.tx(async (rows) => {
        await rows.refs.swap(repo!.id, 'refs/heads/main/x', null, main!.oid, 0)
        await rows.repos.update(repo!.id, { refsDirty: true })
      })
    }
    await using again = await startHub({ dataDir })
    expect((await again.fetch('alice', '/api/models/alice/a')).status).toBe(200)
  })
})

describe('after a kill', () => {
  test('a lock that was left on a branch does not freeze it', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'cairn-hostile-'))
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
    let gitDir: string
    {
      await using hub = await startHub({ dataDir })
      await makeRepo(hub, 'a')
      const { catalog, git } = hub.hub.ops
      const repo = await catalog.rows.repos.getByName('default', 'model', 'alice', 'a')
      gitDir = (git as BareGitStore).gitDir(repo!.id)
      await catalog.tx((rows) => rows.repos.update(repo!.id, { refsDirty: true }))
      await writeFile(join(gitDir, 'refs/heads/main.lock'), '')
    }
    await using hub = await startHub({ dataDir })
    const body = [
      '{"key":"header","value":{"summary":"x"}}',
      '{"key":"file","value":{"path":"f","content":"x"}}',
    ]
    const init = { method: 'POST', body: body.join('\n') }
    const answer = await hub.fetch('alice', '/api/models/alice/a/commit/main', init)
    const { commitOid } = (await answer.json()) as { commitOid: string }
    expect(await readFile(join(gitDir, 'refs/heads/main'), 'utf8')).toBe(`${commitOid}\n`)
  })
})

describe('what a shard claims', () => {
  test('a false sha256 that came first does not keep the right one out', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'liar')
    await makeRepo(hub, 'honest')
    const made = makeXetFile(7, LARGE)
    const lie = (digit: string) => claiming(made, digit.repeat(64))
    const liar = await casAccess(hub, 'alice', 'alice/liar', 'write')
    await uploadXet(liar, lie('a'))
    const second = await liar.fetch('/v1/shards', postBytes(formatShard(lie('b').shard)))
    expect(second.status).toBe(400)
    const honest = await casAccess(hub, 'alice', 'alice/honest', 'write')
    expect((await honest.fetch('/v1/shards', postBytes(formatShard(made.shard)))).status).toBe(200)
    const body = [{ key: 'header', value: { summary: 'x' } }, xetLine('f.bin', made)]
    const init = { method: 'POST', body: body.map((line) => JSON.stringify(line)).join('\n') }
    expect((await hub.fetch('alice', '/api/models/alice/honest/commit/main', init)).status).toBe(200)
    const got = await hub.fetch('alice', '/alice/honest/resolve/main/f.bin')
    expect(Buffer.from(await got.arrayBuffer()).equals(made.content)).toBe(true)
  })

  test('many false ones at the same time cost one pass over the file', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'liar')
    const made = makeXetFile(9, LARGE)
    const liar = await casAccess(hub, 'alice', 'alice/liar', 'write')
    await uploadXet(liar, claiming(made, 'a'.repeat(64)))
    const { blobs } = hub.hub.ops
    const open = blobs.open.bind(blobs)
    let readBytes = 0
    blobs.open = async (key) => {
      const blob = await open(key)
      const readInto: typeof blob.readInto = (start, pieces) => {
        for (const { length } of pieces) readBytes += length
        return blob.readInto(start, pieces)
      }
      return { ...blob, readInto }
    }
    const lies = Array.from({ length: 8 }, (_, index) => claiming(made, String(index).repeat(64)))
    const answers = await Promise.all(
      lies.map(({ shard }) => liar.fetch('/v1/shards', postBytes(formatShard(shard)))),
    )
    expect(answers.map(({ status }) => status)).toEqual(lies.map(() => 400))
    expect(readBytes).toBeLessThan(1.5 * made.xorb.bytes.length)
  })

  test('does not stand in for bytes that came by LFS', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    const made = makeXetFile(8)
    const { catalog } = hub.hub.ops
    const repo = await catalog.rows.repos.getByName('default', 'model', 'alice', 'a')
    const oid = 'c'.repeat(64)
    await catalog.tx(async (rows) => {
      await rows.blobs.insertLfs({ domainId: repo!.domainId, oid, sizeBytes: 5, createdAt: 1 })
      await rows.blobs.linkLfs(repo!.id, oid, 1)
      const file = { domainId: repo!.domainId, hash: made.hash, sizeBytes: made.content.length, termCount: 1 }
      const claim = { terms: new Uint8Array(0), sha256: null, claimedSha256: oid, createdAt: 1 }
      await rows.xet.insertFile(repo!.id, { ...file, ...claim }, [])
    })
    expect((await catalog.rows.blobs.contentOf(repo!.id, [oid])).get(oid)?.kind).toBe('lfs')
  })
})

/** A POST whose body is written piece by piece. */
function dribble(hub: TestHub, path: string, pieces: Iterable<string>): Promise<{ status: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number }>()
  const socket = connect(Number(new URL(hub.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString('latin1')))
  socket.on('close', () => resolve({ status: Number(answer.slice(9, 12)) }))
  socket.on('error', reject)
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: Bearer ${TOKENS.alice}\r\n` +
      'Transfer-Encoding: chunked\r\n\r\n',
  )
  Readable.from(pieces).pipe(socket, { end: false })
  return promise
}

describe('bodies made to be expensive', () => {
  test('chunks of one byte cost what their bytes cost', async () => {
    await using hub = await startHub()
    const before = process.memoryUsage.rss()
    let peak = before
    function* bytes(): Generator<string> {
      for (let sent = 0; sent < 1_000_000; sent += 10_000) {
        peak = Math.max(peak, process.memoryUsage.rss())
        yield '1\r\n \r\n'.repeat(10_000)
      }
      yield '0\r\n\r\n'
    }
    expect((await dribble(hub, '/api/validate-yaml', bytes())).status).toBe(400)
    // As a list of chunks it was 350 MB.
    expect(peak - before).toBeLessThan(150 * 2 ** 20)
  })

  test('a commit of blank lines is refused early', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    const header = JSON.stringify({ key: 'header', value: { summary: 'x' } })
    const answer = await hub.fetch('alice', '/api/models/alice/a/commit/main', {
      method: 'POST',
      body: `${header}\n${'\n'.repeat(100_000)}`,
    })
    expect(answer.status).toBe(413)
  })

  test('slow patterns do not hold up anybody else', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    const pattern = `${'*a'.repeat(20)}*b filter=lfs\n`
    const files = Array.from({ length: 400 }, (_, n) => ({
      path: `${'a'.repeat(100)}${n}`,
      size: 5,
      sample: '',
    }))
    const ask = async (count: number) => {
      const body = { files: files.slice(0, count), gitAttributes: pattern.repeat(80) }
      return (await post(hub, '/api/models/alice/a/preupload/main', body)).status
    }
    const held = await longestHold(async () => {
      expect(await ask(20)).toBe(200)
      // All of them would take ten seconds of a processor.
      expect(await ask(400)).toBe(422)
    })
    expect(held).toBeLessThan(400)
  })

  test('a batch of many large objects in parts is refused, a few are answered', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    const batch = (count: number) => ({
      operation: 'upload',
      transfers: ['multipart'],
      objects: Array.from({ length: count }, (_, n) => ({
        oid: String(n).padStart(64, '0'),
        size: 5 * 2 ** 40,
      })),
    })
    const path = '/alice/a.git/info/lfs/objects/batch'
    expect((await post(hub, path, batch(1000))).status).toBe(413)
    expect((await post(hub, path, batch(1))).status).toBe(200)
  })
})

describe('folders and refs without number', () => {
  test('changing every file of a large folder does not hold up anybody else', async () => {
    await using hub = await startHub()
    await makeRepo(hub, 'a')
    const commit = async (content: string) => {
      const lines: object[] = [{ key: 'header', value: { summary: content } }]
      for (let n = 0; n < 20_000; n += 1)
        lines.push({ key: 'file', value: { path: `d/file${String(n).padStart(6, '0')}`, content } })
      const body = lines.map((line) => JSON.stringify(line)).join('\n')
      const init = { method: 'POST', body }
      expect((await hub.fetch('alice', '/api/models/alice/a/commit/main', init)).status).toBe(200)
    }
    await commit('one')
    // Looking each path up in the whole list of names took over a second at this size.
    expect(await longestHold(() => commit('two'))).toBeLessThan(700)
  })
})
