import { createHash } from 'node:crypto'
import { once } from 'node:events'
/** The hostile stories in their full length, against a real process, with a neighbour who only wants a file. */
import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { formatShard } from '@cairn/protocol/xet/shard'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { printOnFailure, startHub, tokens, type HubProcess } from '../e2e/hub-process.ts'
import { open, percentile, residentBytes, watch } from '../e2e/wire.ts'
import { manyTerms } from '../packages/server/test/hostile/long-recipe.ts'
import { makeXetFile } from '../packages/server/test/xet-client.ts'

const MIB = 2 ** 20
const README = '/alice/tiny/resolve/main/README.md'
const COMMIT = '/api/models/alice/tiny/commit/main'
const HEADER = '{"key":"header","value":{"summary":"x"}}\n'

let hub: HubProcess

beforeAll(async () => {
  hub = await startHub()
  await ask('/api/repos/create', JSON.stringify({ name: 'tiny' }))
  const big = Buffer.alloc(9 * MIB, 'line of text\n').toString('base64')
  const lines = [
    { key: 'file', value: { path: 'README.md', content: 'Hello' } },
    { key: 'file', value: { path: 'big.txt', content: big, encoding: 'base64' } },
  ]
  await ask(COMMIT, HEADER + lines.map((line) => JSON.stringify(line)).join('\n'))
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

printOnFailure(() => hub.log().slice(-5000))

async function ask(path: string, body: string, status = 200): Promise<Record<string, unknown>> {
  const headers = { Authorization: `Bearer ${tokens.alice}` }
  const answer = await fetch(hub.url + path, { method: 'POST', headers, body })
  const text = await answer.text()
  expect(answer.status, text.slice(0, 500)).toBe(status)
  return JSON.parse(text) as Record<string, unknown>
}

/** Goes on sending until all is sent or the answer is there. */
async function pour(path: string, pieces: Iterable<Buffer>): Promise<number> {
  const asked = request(hub.url + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens.alice}` },
  })
  let status = 0
  const answered = new Promise<void>((resolve) => {
    asked.on('response', (answer) => {
      status = answer.statusCode ?? 0
      answer.resume().on('close', resolve)
    })
    asked.on('error', () => resolve())
  })
  for (const piece of pieces) {
    if (status !== 0 || asked.destroyed) break
    if (!asked.write(piece)) await Promise.race([once(asked, 'drain').catch(() => undefined), answered])
  }
  asked.end()
  await answered
  return status
}

/** Tells the story beside the neighbour. */
async function beside(memoryMaxMib: number, story: () => Promise<void>): Promise<void> {
  const before = await residentBytes(hub.pid)
  let times: number[] = []
  let peakBytes = 0
  {
    await using neighbour = await watch(hub, README)
    await story()
    await delay(500)
    times = neighbour.times()
    peakBytes = neighbour.peakBytes()
  }
  const grownMib = Math.round((peakBytes - before) / MIB)
  const p99 = Math.round(percentile(times, 0.99))
  console.log(
    `${expect.getState().currentTestName}: memory +${grownMib} MiB, neighbour's p99 ${p99} ms of ${times.length}`,
  )
  expect({ p99, grownMib }).toSatisfy(() => p99 < 1000 && grownMib < memoryMaxMib)
}

test('a commit of a million lines', async () => {
  const line = Buffer.from('{"key":"file","value":{"path":"a","content":"x"}}\n')
  await beside(200, async () => {
    const lines = Array.from({ length: 1000 }, () => Buffer.concat(Array.from({ length: 1000 }, () => line)))
    expect(await pour(COMMIT, [Buffer.from(HEADER), ...lines])).toBe(413)
  })
})

test('a commit of a million distinct folders', async () => {
  function* lines(): Generator<Buffer> {
    yield Buffer.from(HEADER)
    for (let n = 0; n < 40_000; n += 1)
      yield Buffer.from(`{"key":"file","value":{"path":"${n}/${'d/'.repeat(30)}f","content":"x"}}\n`)
  }
  await beside(200, async () => {
    expect(await pour(COMMIT, lines())).toBe(413)
  })
})

test('one line of a gibibyte', async () => {
  const piece = Buffer.alloc(MIB, 'x')
  function* line(): Generator<Buffer> {
    yield Buffer.from(`${HEADER}{"key":"file","value":{"path":"a","content":"`)
    for (let n = 0; n < 1024; n += 1) yield piece
  }
  await beside(200, async () => {
    expect(await pour(COMMIT, line())).toBe(413)
  })
})

test('eight commits of many large files at once', async () => {
  const content = Buffer.alloc(9 * MIB, 'line of text\n').toString('base64')
  await ask('/api/repos/create', JSON.stringify({ name: 'crowded' }))
  function* lines(who: number): Generator<Buffer> {
    yield Buffer.from(HEADER)
    for (let n = 0; n < 12; n += 1)
      yield Buffer.from(
        `${JSON.stringify({ key: 'file', value: { path: `f${who}-${n}`, content: content.slice(0, -8) + Buffer.from(`${who},${n};`).toString('base64').slice(0, 8), encoding: 'base64' } })}\n`,
      )
  }
  await beside(700, async () => {
    const all = Array.from({ length: 8 }, (_, who) =>
      pour('/api/models/alice/crowded/commit/main', lines(who)),
    )
    expect(await Promise.all(all)).toEqual(all.map(() => 200))
  })
})

test('cards, patterns and recipes that are dear to read, all at once', async () => {
  const made = makeXetFile(5)
  const { accessToken, casUrl } = (await (
    await fetch(`${hub.url}/api/models/alice/tiny/xet-write-token/main`, {
      headers: { Authorization: `Bearer ${tokens.alice}` },
    })
  ).json()) as { accessToken: string; casUrl: string }
  const cas = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(casUrl + path, {
      ...init,
      headers: { Authorization: `Bearer ${accessToken}` },
    })
    expect(answer.status).toBe(200)
    return answer.arrayBuffer()
  }
  await cas(`/v1/xorbs/default/${made.xorb.hash}`, { method: 'POST', body: Uint8Array.from(made.xorb.bytes) })
  const shard = manyTerms(made, 130_000)
  const card = JSON.stringify({ content: `---\na: "${'\\q'.repeat(125_000)}"\n---\n`, repoType: 'model' })
  const files = Array.from({ length: 1000 }, (_, n) => ({
    path: `${'a'.repeat(100)}${n}`,
    size: 5,
    sample: '',
  }))
  const patterns = JSON.stringify({ files, gitAttributes: `${'*a'.repeat(20)}*b filter=lfs\n`.repeat(80) })
  await beside(500, async () => {
    await cas('/v1/shards', { method: 'POST', body: Uint8Array.from(formatShard(shard)) })
    const until = Date.now() + 20_000
    const repeat = async (work: () => Promise<unknown>) => {
      while (Date.now() < until) await work()
    }
    await Promise.all([
      repeat(() => ask('/api/validate-yaml', card, 400)),
      repeat(() => ask('/api/validate-yaml', card, 400)),
      repeat(() => ask('/api/models/alice/tiny/preupload/main', patterns, 422)),
      repeat(() => cas(`/v1/reconstructions/${shard.files[0]!.hash}`)),
      repeat(() => cas(`/v2/reconstructions/${shard.files[0]!.hash}`)),
    ])
  })
})

test('heads, bodies and readers that never end are given up', async () => {
  const auth = `Host: hub\r\nAuthorization: Bearer ${tokens.alice}\r\n`
  await beside(300, async () => {
    const slow: Record<string, { send: string; every: string; within: number; status: number | null }> = {
      'a head': { send: 'GET /health HTTP/1.1\r\nX-A: ', every: 'a', within: 70, status: 408 },
      'a body': {
        send: `POST /api/validate-yaml HTTP/1.1\r\n${auth}Content-Length: 1000000\r\n\r\n{`,
        every: ' ',
        within: 130,
        status: 408,
      },
      'a chunked body': {
        send: `POST ${COMMIT} HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n`,
        every: '1\r\n \r\n',
        within: 130,
        status: 408,
      },
      'a body that is not read': {
        send: `POST /api/models/alice/tiny/like HTTP/1.1\r\n${auth}Content-Length: 1000000\r\n\r\n{`,
        every: ' ',
        within: 40,
        status: 200,
      },
      'a promise': {
        send: `POST ${COMMIT} HTTP/1.1\r\n${auth}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n`,
        every: '',
        within: 130,
        status: 408,
      },
    }
    await Promise.all(
      Object.entries(slow).map(async ([name, { send, every, within, status }]) => {
        const wire = open(hub)
        wire.socket.write(send)
        const timer = setInterval(() => wire.socket.write(every), 1000)
        const isClosed = await Promise.race([wire.closed.then(() => true), delay(within * 1000, false)])
        clearInterval(timer)
        wire.socket.destroy()
        expect(isClosed, name).toBe(true)
        expect(wire.received(), name).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `, 'm'))
      }),
    )
  })
})

test('readers who take nothing are let go', async () => {
  // More than the kernel takes for a connection that nobody reads.
  const bytes = Buffer.alloc(64 * MIB, 'x')
  const object = { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }
  const planned = await ask(
    '/alice/tiny.git/info/lfs/objects/batch',
    JSON.stringify({ operation: 'upload', transfers: ['basic'], objects: [object] }),
  )
  const [{ actions }] = planned['objects'] as [{ actions: { upload: { href: string } } }]
  expect((await fetch(actions.upload.href, { method: 'PUT', body: bytes })).status).toBe(200)
  await ask(COMMIT, `${HEADER}${JSON.stringify({ key: 'lfsFile', value: { path: 'big.bin', ...object } })}`)
  await beside(300, async () => {
    const readers = Array.from({ length: 300 }, () => {
      const socket = connect(Number(new URL(hub.url).port), '127.0.0.1')
      let receivedBytes = 0
      socket.on('data', (chunk) => (receivedBytes += chunk.length)).on('error', () => undefined)
      socket.write('GET /alice/tiny/resolve/main/big.bin HTTP/1.1\r\nHost: hub\r\n\r\n')
      socket.pause()
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      return { socket, closed, receivedBytes: () => receivedBytes }
    })
    await delay(310_000)
    for (const { socket } of readers) socket.resume()
    const all = Promise.all(readers.map(({ closed }) => closed))
    expect(await Promise.race([all.then(() => true), delay(20_000, false)])).toBe(true)
    // Cut, and not ended as if it were whole.
    for (const reader of readers) expect(reader.receivedBytes()).toBeLessThan(bytes.length)
  })
})

test('nothing of this was an error of the hub', () => {
  expect(hub.log()).not.toMatch(/request failed/)
})
