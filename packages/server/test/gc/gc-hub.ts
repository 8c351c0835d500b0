/** A hub whose clock is moved by hand, and what one looks at when things are collected. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect } from 'vitest'

import { commit, sha256 } from '../client.ts'
import { casAccess, makeXetFile, uploadXet, xetLine, type XetFile } from '../xet-client.ts'

export const HOUR_MS = 3600_000
export const DAY_MS = 24 * HOUR_MS

export type Sums = Record<string, number>

export interface Step {
  cursor: string | null
  findings: { subject: string; message: string; state: string }[]
  counts: Sums
}

export interface GcHub extends AsyncDisposable {
  hub: TestHub
  now: number
  /** One run; the sums of what it counted. */
  gc(args?: { dryRun?: boolean; graceHours?: number }): Promise<Sums>
  /** A run on each day. */
  gcDaily(days: number): Promise<Sums>
  /** Whatever lies in the store, parts and staging included. */
  storedBytes(): Promise<number>
  /** The kinds of the stored blobs, in key order. */
  kinds(): Promise<string[]>
  expectContent(id: string, path: string, content: string | Uint8Array, revision?: string): Promise<void>
  /** Reads everything that any history names. */
  expectWhole(): Promise<void>
  /** Uploads and commits a Xet file. */
  withXet(id: string, path: string, seed: number): Promise<XetFile>
}

export async function startGcHub(): Promise<GcHub> {
  let now = Date.now()
  const hub = await startHub({ clock: () => now, env: { CAIRN_GC_INTERVAL_HOURS: '0' } })
  const t: GcHub = {
    hub,
    get now() {
      return now
    },
    set now(at) {
      now = at
    },
    async gc(args = {}) {
      const sums: Sums = {}
      let cursor: string | null = null
      do {
        const request = { resource: 'hub', verb: 'gc', args: { ...args, cursor } }
        const step = (await hub.hub.admin(request)) as Step
        // What was cut off may have left files without a row, which are noted and no problem.
        expect(step.findings.filter(({ state }) => state !== 'note')).toEqual([])
        add(sums, step.counts)
        cursor = step.cursor
      } while (cursor !== null)
      return sums
    },
    async gcDaily(days) {
      const sums: Sums = {}
      for (let day = 0; day < days; day++) {
        t.now += DAY_MS
        add(sums, await t.gc())
      }
      return sums
    },
    async storedBytes() {
      let sum = 0
      const root = join(hub.dataDir, 'blobs')
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
      return sum
    },
    async kinds() {
      const found: string[] = []
      for await (const { key } of hub.hub.ops.blobs.list('')) found.push(key.split('/')[0]!)
      return found
    },
    async expectContent(id, path, content, revision = 'main') {
      const response = await hub.fetch('alice', `/${id}/resolve/${revision}/${path}`)
      expect(response.status, `${id} ${path} ${revision}`).toBe(200)
      expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(content))
    },
    async expectWhole() {
      let cursor: string | null = null
      do {
        const request = { resource: 'hub', verb: 'fsck', args: { full: true, cursor } }
        const step = (await hub.hub.admin(request)) as Step
        // What was cut off may have left files without a row, which are noted and no problem.
        expect(step.findings.filter(({ state }) => state !== 'note')).toEqual([])
        cursor = step.cursor
      } while (cursor !== null)
    },
    async withXet(id, path, seed) {
      const made = makeXetFile(seed)
      await uploadXet(await casAccess(hub, 'alice', id, 'write'), made)
      await commit(hub, 'alice', id, [xetLine(path, made)])
      return made
    },
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  }
  return t
}

function add(sums: Sums, counts: Sums): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
}

export async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
