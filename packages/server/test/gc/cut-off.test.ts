/** A run of collection that stops anywhere loses nothing, and the next one finishes what it began. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { CountedCalls, faultyCatalog, faultyStore, InjectedFault } from '@cairn/testkit/faults'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { collectStep } from '../../src/ops/collection/collect.ts'
import { keyOf, nameOf } from '../../src/ops/collection/names.ts'
import { purgeDue } from '../../src/ops/deleted-repos.ts'
import { lfsKey, xorbKey } from '../../src/store/keys.ts'
import { commit, createRepo, lfsFile, uploadLfs } from '../client.ts'
import { casAccess, makeXetFile, uploadXet, type XetFile } from '../xet-client.ts'
import { DAY_MS, once, startGcHub, type GcHub } from './gc-hub.ts'

let t: GcHub
beforeEach(async () => {
  t = await startGcHub()
})
afterEach(() => t[Symbol.asyncDispose]())

describe('a run that is cut off anywhere', () => {
  /** Everything that a run can have to do, and two files that must come through. */
  async function prepare(): Promise<{ id: string; made: XetFile }> {
    const id = await createRepo(t.hub, 'alice', 'alice/cut')
    const made = await t.withXet(id, 'kept.bin', 7)
    await uploadLfs(t.hub, 'alice', id, 'kept')
    await commit(t.hub, 'alice', id, [lfsFile('kept.txt', 'kept')])
    await uploadXet(await casAccess(t.hub, 'alice', id, 'write'), makeXetFile(8))
    await uploadLfs(t.hub, 'alice', id, 'going')
    await t.hub.hub.ops.blobs.parts.put('given-up-1', 1, once('part'), 100)
    const stray = join(t.hub.dataDir, 'blobs', 'blobs', lfsKey('d0', 'cd'.repeat(32)))
    await mkdir(join(stray, '..'), { recursive: true })
    await writeFile(stray, 'stray')
    t.now += 3 * DAY_MS
    return { id, made }
  }

  /** The whole run with parts that fail. */
  async function cutRun(calls: CountedCalls): Promise<boolean> {
    const { ops } = t.hub.hub
    const ctx = { ...ops, blobs: faultyStore(ops.blobs, calls), catalog: faultyCatalog(ops.catalog, calls) }
    let cursor: string | null = null
    try {
      do cursor = (await collectStep(ctx, { dryRun: false, graceMs: 0 }, cursor)).cursor
      while (cursor !== null)
    } catch (error) {
      expect(error).toBeInstanceOf(InjectedFault)
    }
    return calls.hasFailed
  }

  test.each([
    { timing: 'after', isDeadly: true },
    { timing: 'before', isDeadly: false },
  ] as const)('leaves what the next one finishes: $timing, dead: $isDeadly', async (how) => {
    for (let failing = 1; ; failing++) {
      const { id, made } = await prepare()
      const hasFailed = await cutRun(new CountedCalls({ failing, ...how }))
      await t.expectContent(id, 'kept.bin', made.content)
      await t.expectWhole()
      // Each object that has a row has its bytes.
      for (const kind of ['lfs', 'xorbs'] as const)
        for (const { domainId, name, sizeBytes } of await stored(kind)) {
          const key = kind === 'lfs' ? lfsKey(domainId, name) : xorbKey(domainId, name)
          expect((await t.hub.hub.ops.blobs.stat(key))?.sizeBytes, `call ${failing}`).toBe(sizeBytes)
        }
      await expectAccounted()
      await t.gc({ graceHours: 0 })
      await t.gc({ graceHours: 0 })
      await t.expectContent(id, 'kept.txt', 'kept')
      expect((await t.kinds()).toSorted()).toEqual(['lfs', 'shards', 'xorbs'])
      expect(await t.hub.hub.ops.catalog.rows.collection.doomed(null, 1)).toEqual([])
      if (!hasFailed) return expect(failing).toBeGreaterThan(8)
      await t.hub.hub.admin({
        resource: 'repo',
        verb: 'delete',
        args: { namespace: 'alice', name: 'cut', now: true },
      })
      await purgeDue(t.hub.hub.ops, 10)
      await t.gc({ graceHours: 0 })
      t.now += 3 * DAY_MS
      await t.gc({ graceHours: 0 })
      await t.gc({ graceHours: 0 })
      expect(await t.storedBytes()).toBe(0)
    }
  })
})

/** Bytes without a row have a mark, so that they need not be found and wait anew; but for those that came from elsewhere. */
async function expectAccounted(): Promise<void> {
  const { blobs, catalog } = t.hub.hub.ops
  const marks = new Set((await catalog.rows.collection.doomed(null, 100)).map((mark) => keyOf(mark)))
  for await (const { key } of blobs.list('')) {
    const { kind, domainId, name } = nameOf(key)
    const rows = await catalog.rows.collection.withRow(kind, domainId, [name])
    if (domainId !== 'd0') expect(rows.has(name) || marks.has(key), key).toBe(true)
  }
}

const stored = (kind: 'lfs' | 'xorbs') =>
  t.hub.hub.ops.catalog.rows.collection.stored(kind, { domainId: '', name: '' }, 100, 0)
