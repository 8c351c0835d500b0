/** What a hub does by itself when time has passed, asked of it all the time: migration and collection. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { expect } from 'vitest'

import type { HubProcess } from './hub-process.ts'

/** Longer than a client needs from a xorb to its shard, shorter than a few rounds. */
const collectGraceHours = 6 / 3600
/** So that clients get on, too. */
const pauseMs = 300
const removesEach = 8

export interface HubWork {
  /** Goes on until the hub no longer answers. */
  work(): Promise<void>
  /** All that is left of it, once nobody uploads any more. */
  finish(): Promise<void>
  /** How many objects were migrated, and how many blobs were removed, by migration or collection. */
  done(): { migrated: number; removed: number }
}

export async function startWork(hub: HubProcess, random: () => number): Promise<HubWork> {
  const token = (await readFile(join(hub.dataDir, 'admin-token'), 'utf8')).trim()
  const sums: Record<string, number> = {}
  let migrations = 0

  /** One step after the other. False when the hub is gone. */
  async function run(verb: string, args: Record<string, unknown>): Promise<boolean> {
    let cursor: string | null = null
    do {
      const answer: Response | null = await fetch(`${hub.url}/api/admin`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ resource: 'hub', verb, args: { ...args, cursor } }),
      }).catch(() => null)
      const text = await answer?.text().catch(() => null)
      if (answer === null || text === null || text === undefined) return false
      expect(answer.status, `${verb}: ${text}`).toBe(200)
      const step = JSON.parse(text) as {
        cursor: string | null
        findings: object[]
        counts: Record<string, number>
      }
      expect(step.findings, verb).toEqual([])
      for (const [name, count] of Object.entries(step.counts)) sums[name] = (sums[name] ?? 0) + count
      cursor = step.cursor
    } while (cursor !== null)
    return true
  }

  return {
    async work() {
      const loops = [
        // An original that is not removed for some rounds is what collection finds.
        () => run('migrate-lfs', { repo: null, remove: ++migrations % removesEach === 0 }),
        () => run('gc', { dryRun: false, graceHours: collectGraceHours }),
      ]
      await Promise.all(
        loops.map(async (one) => {
          while (await one()) await delay(random() * pauseMs)
        }),
      )
    },
    async finish() {
      expect(await run('migrate-lfs', { repo: null, remove: true })).toBe(true)
      expect(await run('gc', { dryRun: false, graceHours: 0 })).toBe(true)
    },
    done() {
      const { replaced = 0, removed = 0, ...others } = sums
      const collected = ['lfs', 'xorbs', 'shards'].map((kind) => others[`${kind} freed`] ?? 0)
      return { migrated: replaced, removed: collected.reduce((sum, count) => sum + count, removed) }
    },
  }
}
