/** A client that speaks no honest HTTP, against the socket of a real hub. */
import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { exchange, open, percentile, residentBytes, watch } from './wire.ts'

const MIB = 2 ** 20

let hub: HubProcess

beforeAll(async () => {
  hub = await startHub()
  await api('/api/repos/create', { name: 'tiny' })
  const lines: object[] = [{ key: 'header', value: { summary: 'x' } }]
  const big = Buffer.alloc(9 * MIB, 'line of text\n').toString('base64')
  const files = [
    { key: 'file', value: { path: 'README.md', content: 'Hello' } },
    { key: 'file', value: { path: 'big.txt', content: big, encoding: 'base64' } },
  ]
  await api(
    '/api/models/alice/tiny/commit/main',
    [...lines, ...files].map((line) => JSON.stringify(line)).join('\n'),
  )
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

printOnFailure(() => hub.log())

async function api(path: string, body: unknown): Promise<void> {
  const answer = await fetch(hub.url + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens.alice}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  expect(answer.status, await answer.text()).toBe(200)
}

const AUTH = `Host: hub\r\nAuthorization: Bearer ${tokens.alice}\r\n`
const SMUGGLED = `POST /api/repos/create HTTP/1.1\r\n${AUTH}Content-Length: 19\r\n\r\n{"name":"smuggled"}`
const VALIDATE = `POST /api/validate-yaml HTTP/1.1\r\n${AUTH}`

describe('requests that two readers would understand differently', () => {
  test.each([
    [
      'length and chunks',
      `${VALIDATE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunks and length',
      `${VALIDATE}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['two lengths', `${VALIDATE}Content-Length: 0\r\nContent-Length: 150\r\n\r\n${SMUGGLED}`],
    ['two equal lengths', `${VALIDATE}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a list of lengths', `${VALIDATE}Content-Length: 0, 150\r\n\r\n${SMUGGLED}`],
    ['a length with a sign', `${VALIDATE}Content-Length: +2\r\n\r\n{}`],
    ['a length in hex', `${VALIDATE}Content-Length: 0x2\r\n\r\n{}`],
    ['a length beyond numbers', `${VALIDATE}Content-Length: 99999999999999999999999\r\n\r\n{}`],
    ['a folded header', `${VALIDATE}X-A: b\r\n Content-Length: 150\r\n\r\n${SMUGGLED}`],
    ['a folded encoding', `${VALIDATE}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ['an encoding twice', `${VALIDATE}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ['another encoding', `${VALIDATE}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    [
      'an encoding that ends otherwise',
      `${VALIDATE}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['a space before the colon', `${VALIDATE}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ['bare line feeds', `${VALIDATE}Content-Length: 0\r\n\r\n`.replaceAll('\r\n', '\n')],
    ['a bare carriage return', `${VALIDATE}X-A: a\rContent-Length: 0\r\n\r\n`],
    ['NUL in a header', `${VALIDATE}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`],
    ['a header without a name', `${VALIDATE}: x\r\n\r\n`],
    ['a chunk of a negative size', `${VALIDATE}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${SMUGGLED}`],
    [
      'a chunk of too many digits',
      `${VALIDATE}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk with a line feed',
      `${VALIDATE}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk that is longer than it says',
      `${VALIDATE}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'extensions of chunks without end',
      `${VALIDATE}Transfer-Encoding: chunked\r\n\r\n2;${'a=b;'.repeat(10_000)}\r\n{}\r\n0\r\n\r\n`,
    ],
    ['HTTP/0.9', 'GET /health\r\n\r\n'],
    ['HTTP/3.7', 'GET /health HTTP/3.7\r\nHost: hub\r\n\r\n'],
    ['no Host', 'GET /alice/tiny/resolve/main/README.md HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /alice/tiny/resolve/main/README.md HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a Host that is none', 'GET /api/models/alice/tiny HTTP/1.1\r\nHost: a b"<script>\r\n\r\n'],
    [
      'an absolute address',
      'GET http://elsewhere/alice/tiny/resolve/main/README.md HTTP/1.1\r\nHost: hub\r\n\r\n',
    ],
    ['an address of another scheme', 'GET file:///etc/passwd HTTP/1.1\r\nHost: hub\r\n\r\n'],
    ['an address without a slash', 'GET health HTTP/1.1\r\nHost: hub\r\n\r\n'],
    ['a space in the address', 'GET /alice/tiny/resolve/main/a b HTTP/1.1\r\nHost: hub\r\n\r\n'],
    ['an unknown method', 'BREW /health HTTP/1.1\r\nHost: hub\r\n\r\n'],
    ['a tunnel', 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: hub\r\n\r\n'],
    ['TLS', Buffer.from('16030100f8010000f40303', 'hex').toString('latin1')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an expectation of wonders', `${VALIDATE}Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'a head of 20 KiB',
      `GET /health HTTP/1.1\r\nHost: hub\r\n${'X-A: aaaaaaaaaaaaaaaa\r\n'.repeat(1000)}\r\n`,
    ],
    ['an address of 20 KiB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: hub\r\n\r\n`],
    ['5,000 headers', `GET /health HTTP/1.1\r\nHost: hub\r\n${'a:\r\n'.repeat(5000)}\r\n`],
    [
      'a credential with a line end',
      `GET /api/whoami-v2 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer x\ny\r\n\r\n`,
    ],
    [
      'a credential of 10 KiB',
      `GET /api/whoami-v2 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${'x'.repeat(10_000)}\r\n\r\n`,
    ],
  ])('%s', async (_name, bytes) => {
    const { text, statuses } = await exchange(hub, [bytes], 400)
    expect(statuses, text).not.toEqual([])
    for (const status of statuses) expect(status, text).toSatisfy((code: number) => code >= 400 && code < 500)
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head).toMatch(/^X-Error-Message: [\x20-\x7e]+$/im)
    if (statuses[0] !== 401) expect(head).toMatch(/^X-Error-Code: \w+$/im)
    expect(JSON.parse(body)).toHaveProperty('error')
    expect((await fetch(`${hub.url}/api/models/alice/smuggled`)).status).toBe(401)
  })

  test('a header that is given back cannot become two', async () => {
    const { text } = await exchange(
      hub,
      [
        'GET /alice/tiny/resolve/main/no%0D%0AX-Injected:%20yes HTTP/1.1\r\nHost: hub\r\nX-Request-Id: a\tb\r\n\r\n',
      ],
      300,
    )
    expect(text).not.toMatch(/^X-Injected/im)
  })

  test('requests that come all at once are answered one after the other', async () => {
    const one = 'HEAD /alice/tiny/resolve/main/README.md HTTP/1.1\r\nHost: hub\r\n\r\n'
    const { statuses } = await exchange(
      hub,
      [one.repeat(499), one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')],
      5000,
    )
    expect(statuses).toEqual(Array.from({ length: 500 }, () => 200))
  })
})

describe('clients who take their time', () => {
  test('do not keep anybody else waiting, and memory stays flat', async () => {
    const before = await residentBytes(hub.pid)
    const path = '/alice/tiny/resolve/main/README.md'
    const wires: ReturnType<typeof open>[] = []
    const slow = (text: string) => {
      const wire = open(hub)
      wire.socket.write(text)
      wires.push(wire)
      return wire
    }
    let times: number[] = []
    let peakBytes = 0
    {
      await using neighbour = await watch(hub, path)
      for (let n = 0; n < 100; n += 1) {
        // Heads that go on, bodies that do not, promises that are not kept, and answers that nobody reads.
        slow('GET /health HTTP/1.1\r\nX-A: ')
        slow(`${VALIDATE}Content-Length: 1000000\r\n\r\n{`)
        slow(
          `POST /api/models/alice/tiny/commit/main HTTP/1.1\r\n${AUTH}Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`,
        )
        slow('GET /alice/tiny/resolve/main/big.txt HTTP/1.1\r\nHost: hub\r\n\r\n').socket.pause()
      }
      // As many as fit into what is read at once, each worth nine MiB.
      slow('GET /alice/tiny/resolve/main/big.txt HTTP/1.1\r\nHost: hub\r\n\r\n'.repeat(1000)).socket.pause()
      for (let n = 0; n < 20; n += 1)
        for (const { socket } of wires) {
          socket.write(' ')
          if (n % 5 === 0) await delay(1)
        }
      await delay(2500)
      times = neighbour.times()
      peakBytes = neighbour.peakBytes()
    }
    for (const { socket } of wires) socket.destroy()
    expect(percentile(times, 0.99)).toBeLessThan(1000)
    // A hundred blobs of nine MiB would be 900 MiB.
    expect((peakBytes - before) / MIB).toBeLessThan(300)
  })

  test('who leaves while a thousand answers are due leaves nothing open', async () => {
    const filesOpen = async () => (await readdir(`/proc/${hub.pid}/fd`)).length
    const before = await filesOpen()
    const one = 'GET /alice/tiny/resolve/main/big.txt HTTP/1.1\r\nHost: hub\r\n\r\n'
    for (let n = 0; n < 20; n += 1) {
      const wire = open(hub)
      wire.socket.write(one.repeat(1000))
      wire.socket.pause()
      await delay(30)
      wire.socket.destroy()
      await wire.closed
    }
    await expect.poll(filesOpen, { timeout: 5000 }).toBeLessThan(before + 10)
    expect((await fetch(`${hub.url}/alice/tiny/resolve/main/README.md`)).status).toBe(200)
  })

  test('a slow reader gets the whole file all the same', async () => {
    const wire = open(hub)
    let received = 0
    wire.socket.on('data', (bytes: Buffer) => {
      received += bytes.length
      if (received % (2 * MIB) < bytes.length) {
        // Long enough for the hub to let go of the blob.
        wire.socket.pause()
        setTimeout(() => wire.socket.resume(), 1300)
      }
    })
    wire.socket.write(
      'GET /alice/tiny/resolve/main/big.txt HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n',
    )
    await wire.closed
    const body = wire.received().split('\r\n\r\n')[1] ?? ''
    expect(body.length).toBe(9 * MIB)
    expect(
      body.startsWith('line of text\nline') &&
        !/(?:^|\n)(?!line of text\n).{13}/.test(body.slice(0, 13 * 100)),
    ).toBe(true)
  })
})

test('nothing of this was an error of the hub', () => {
  expect(hub.log()).not.toMatch(/"level":50|request failed/)
})
