/** Pushes that no git makes, at full size: what they may cost the hub and its gits, and that they leave nothing. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDeflate } from 'node:zlib'

import { encodePacket, FLUSH } from '@cairn/protocol/git/pkt-line'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { fsckAll } from '../e2e/fsck.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from '../e2e/hub-process.ts'
import { percentile, residentBytes, watch } from '../e2e/wire.ts'
import {
  commandsOf,
  commitOf,
  deltaOf,
  encodeEntry,
  entryHead,
  NO_OID,
  oidOf,
  packOf,
  treeOf,
  unband,
  type PackEntry,
} from '../packages/server/test/pack-builder.ts'

const MIB = 2 ** 20
const NAME = 'refs/heads/x'
let hub: HubProcess
let refs: string

beforeAll(async () => {
  hub = await startHub()
  const headers = { Authorization: `Bearer ${tokens.alice}` }
  const body = JSON.stringify({ name: 'target' })
  await fetch(`${hub.url}/api/repos/create`, { method: 'POST', headers, body })
  const lines = [
    { key: 'header', value: { summary: 'x' } },
    { key: 'file', value: { path: 'README.md', content: 'Hello' } },
  ]
  const commit = lines.map((line) => JSON.stringify(line)).join('\n')
  await fetch(`${hub.url}/api/models/alice/target/commit/main`, { method: 'POST', headers, body: commit })
  refs = await refsNow()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})
printOnFailure(() => hub.log().slice(-5000))

async function refsNow(): Promise<string> {
  return (await fetch(`${hub.url}/api/models/alice/target/refs`)).text()
}

/** Memory of its own that the hub's gits have together; what they map of packs is the kernel's. */
async function gitBytes(): Promise<number> {
  let sum = 0
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
    try {
      if (!(await readFile(`/proc/${pid}/environ`, 'latin1')).includes(`GIT_DIR=${hub.dataDir}`)) continue
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      sum += Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
    } catch {
      // It has ended.
    }
  return sum
}

/** Pushes beside a neighbour who only wants a file. Refused in words, at a bounded price, and nothing is left. */
async function refused(pieces: Iterable<Uint8Array>): Promise<string> {
  const before = await residentBytes(hub.pid)
  const files = (await readdir(join(hub.dataDir, 'repos'), { recursive: true })).toSorted()
  let gitPeakBytes = 0
  const timer = setInterval(() => {
    void gitBytes().then((bytes) => (gitPeakBytes = Math.max(gitPeakBytes, bytes)))
  }, 100)
  const started = performance.now()
  let said = ''
  let facts: { p99Ms: number; grownMib: number; gitMib: number }
  try {
    await using neighbour = await watch(hub, '/alice/target/resolve/main/README.md')
    const answer = await fetch(`${hub.url}/alice/target.git/git-receive-pack`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${tokens.alice}`,
        'Content-Type': 'application/x-git-receive-pack-request',
      },
      body: ReadableStream.from(pieces),
      duplex: 'half',
    } as RequestInit)
    said = unband(new Uint8Array(await answer.arrayBuffer()))
    facts = {
      p99Ms: Math.round(percentile(neighbour.times(), 0.99)),
      grownMib: Math.round((neighbour.peakBytes() - before) / MIB),
      gitMib: Math.round(gitPeakBytes / MIB),
    }
  } finally {
    clearInterval(timer)
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${expect.getState().currentTestName}: ${seconds} s, ${JSON.stringify(facts)}`)
  expect(facts).toSatisfy(
    () => facts.p99Ms < 1000 && facts.grownMib < GROWN_MAX_MIB && facts.gitMib < GIT_MAX_MIB,
  )
  expect(await readdir(join(hub.dataDir, 'repos', 'incoming'))).toEqual([])
  expect((await readdir(join(hub.dataDir, 'repos'), { recursive: true })).toSorted()).toEqual(files)
  expect(await refsNow()).toBe(refs)
  return said
}

const GROWN_MAX_MIB = 150
const GIT_MAX_MIB = 400

/** An object of that many zeros: its id, and its entry in a pack, neither ever whole in memory. */
async function zeros(type: 'blob' | 'tree', sizeBytes: number): Promise<{ oid: string; entry: Buffer }> {
  const hash = createHash('sha1').update(`${type} ${sizeBytes}\0`)
  const deflate = createDeflate({ level: 9 })
  const pieces: Buffer[] = []
  deflate.on('data', (piece: Buffer) => pieces.push(piece))
  const piece = Buffer.alloc(MIB)
  for (let sent = 0; sent < sizeBytes; sent += MIB) {
    hash.update(piece)
    if (!deflate.write(piece)) await new Promise((resolve) => deflate.once('drain', resolve))
  }
  const ended = new Promise((resolve) => deflate.once('end', resolve))
  deflate.end()
  await ended
  return { oid: hash.digest('hex'), entry: Buffer.concat([entryHead(type, sizeBytes), ...pieces]) }
}

function packOfEntries(entries: readonly Buffer[]): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')
  header.writeUInt32BE(entries.length, 8)
  const pack = Buffer.concat([header, ...entries])
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()])
}

/** A commit of one file, pushed as a branch; `file` is an entry of the pack. */
function pushOf(mode: string, file: { oid: string; entry: Buffer }): Buffer[] {
  const tree = treeOf([[mode, 'zeros.bin', file.oid]])
  const commit = commitOf(oidOf('tree', tree))
  const others = [encodeEntry({ type: 'commit', bytes: commit }), encodeEntry({ type: 'tree', bytes: tree })]
  const command = commandsOf([{ next: oidOf('commit', commit), name: NAME }])
  return [command, packOfEntries([...others, file.entry])]
}

test('a file that inflates to two gibibytes', async () => {
  const push = pushOf('100644', await zeros('blob', 2048 * MIB))
  expect(Buffer.concat(push).length).toBeLessThan(3 * MIB)
  expect(await refused(push)).toContain('zeros.bin (2048.0 MiB)')
})

test('a folder that inflates to a gibibyte', async () => {
  expect(await refused(pushOf('40000', await zeros('tree', 1024 * MIB)))).toMatch(
    /^unpack .*larger than 64 MiB/m,
  )
})

test('a delta that makes three gibibytes of 64 KiB', async () => {
  const base: PackEntry = { type: 'blob', bytes: Buffer.alloc(65_535) }
  const delta: PackEntry = {
    type: 'ofsDelta',
    bytes: deltaOf(65_535, 50_000, 'x'),
    base: encodeEntry(base).length,
  }
  const push = [commandsOf([{ next: '1'.repeat(40), name: NAME }]), packOf([base, delta])]
  expect(await refused(push)).toMatch(/^unpack .*larger than 64 MiB/m)
})

test.each([
  ['small texts', 100],
  ['files of 64 KiB', 65_535],
])('50,000 deltas, each upon the one before: %s', async (_name, sizeBytes) => {
  const entries = [encodeEntry({ type: 'blob', bytes: Buffer.alloc(sizeBytes, 'base') })]
  for (let depth = 0; depth < 50_000; depth += 1) {
    // All but the end is copied; the lengths stay the same.
    const text = depth.toString(36).padStart(5)
    const bytes = Buffer.concat([deltaOf(sizeBytes - 5, 1, text)])
    // The base is as long as what is made of it.
    const head = deltaOf(sizeBytes, 1, '').subarray(0, sizeBytes < 128 ? 1 : 3)
    const withBase = Buffer.concat([head, bytes.subarray(sizeBytes - 5 < 128 ? 1 : 3)])
    entries.push(encodeEntry({ type: 'ofsDelta', bytes: withBase, base: entries.at(-1)!.length }))
  }
  const push = [commandsOf([{ next: '1'.repeat(40), name: NAME }]), packOfEntries(entries)]
  expect(await refused(push)).toMatch(/^unpack .*chain of deltas/m)
})

test('a million refs', async () => {
  function* push(): Generator<Buffer> {
    for (let at = 0; at < 1_000_000; at += 1000)
      yield Buffer.concat(
        Array.from({ length: 1000 }, (_, n) =>
          encodePacket(
            `${NO_OID} ${'1'.repeat(40)} refs/tags/t${at + n}${at + n === 0 ? '\0 report-status side-band-64k' : ''}`,
          ),
        ),
      )
    yield FLUSH as Buffer
    yield packOf([])
  }
  expect(await refused(push())).toContain('1000000 refs in one push are too many')
})

test('gibibytes behind a pack that is refused at once', async () => {
  function* push(): Generator<Buffer> {
    yield commandsOf([{ next: '1'.repeat(40), name: NAME }])
    yield Buffer.from('PACK\0\0\0\x02\0\0\0\x01 no entry', 'latin1')
    const piece = Buffer.alloc(MIB, 0xff)
    for (let sent = 0; sent < 1024; sent += 1) yield piece
  }
  expect(await refused(push())).toMatch(/^unpack (?!ok)\S/m)
})

test('the repository is whole, and none of this was an error of the hub', async () => {
  expect(await fsckAll(hub.dataDir)).toEqual([])
  expect(hub.log()).not.toMatch(/request failed|a push failed/)
})
