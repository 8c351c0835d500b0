/**
 * Clients that write to a hub until it dies, and remember what they were told: small commits and uploads of large
 * files, LFS and Xet, to one branch, and git pushes to another. Then they look whether it is all there.
 */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { createBranch, createRepo, listFiles, uploadFile } from '@huggingface/hub'
import { expect } from 'vitest'

import { git } from './fsck.ts'
import { tokens, type HubProcess } from './hub-process.ts'

const name = 'alice/crashes'
const repo = { type: 'model', name } as const
const pushedBranch = 'pushed'
/** Above the sizes from which the hub migrates a file, and clients send one as a large one: several chunks for Xet. */
const largeBytes = { lfs: 1_200_000, xet: 300_000 }

type Kind = 'commits' | 'pushes' | 'lfs' | 'xet'

interface Attempt {
  kind: Kind
  branch: string
  sha256: string
  isAcknowledged: boolean
}

export interface Writers {
  /** Gets the next push ready, which takes a while. */
  prepare(): Promise<void>
  /** Writes until the hub no longer answers. */
  write(): Promise<void>
  /** Looks at what was written since the last check. */
  check(when: string): Promise<void>
  /** Looks at everything once more. */
  checkAll(): Promise<void>
  acknowledged(): Record<Kind, number>
}

export async function startWriters(hub: HubProcess, work: string, random: () => number): Promise<Writers> {
  const caller = { hubUrl: hub.url, accessToken: tokens.alice }
  const attempts = new Map<string, Attempt>()
  let unchecked: string[] = []
  let counter = 0
  await createRepo({ ...caller, repo })
  await createBranch({ ...caller, repo, branch: pushedBranch })
  const clone = join(work, 'clone')
  await mkdir(clone)
  const remote = new URL(`${hub.url}/${name}`)
  remote.username = 'alice'
  remote.password = tokens.alice
  await git(work, ['clone', '--quiet', '--branch', pushedBranch, remote.href, clone])

  /** What clients say of a hub that dies in the middle differs: git may even take it for a refusal of its token. */
  async function isAlive(): Promise<boolean> {
    const answer = await fetch(`${hub.url}/health`).catch(() => null)
    await answer?.body?.cancel()
    return answer !== null
  }

  function nextPath(kind: Kind): string {
    counter += 1
    return `${kind}/${counter}.${kind === 'commits' || kind === 'pushes' ? 'txt' : 'bin'}`
  }

  /** One attempt: remembered before it is made, acknowledged when `send` resolves. False when the hub is gone. */
  async function attempt(
    kind: Kind,
    branch: string,
    path: string,
    content: Buffer,
    send: () => Promise<void>,
  ): Promise<boolean> {
    const sha256 = createHash('sha256').update(content).digest('hex')
    const made: Attempt = { kind, branch, sha256, isAcknowledged: false }
    attempts.set(path, made)
    unchecked.push(path)
    try {
      await send()
      made.isAcknowledged = true
      return true
    } catch (error) {
      // A refusal would be a fault of the hub; that it is gone is what this is about.
      if (await isAlive()) throw error
      return false
    }
  }

  const small = () => Buffer.from(`${random()}\n`)
  const commitOne = () => {
    const content = small()
    const path = nextPath('commits')
    return attempt('commits', 'main', path, content, async () => {
      const lines = [
        { key: 'header', value: { summary: path } },
        { key: 'file', value: { path, content: content.toString('base64'), encoding: 'base64' } },
      ]
      const answer = await fetch(`${hub.url}/api/models/${name}/commit/main`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${tokens.alice}`, 'Content-Type': 'application/x-ndjson' },
        body: lines.map((line) => JSON.stringify(line)).join('\n'),
      })
      expect(answer.status, await answer.text()).toBe(200)
    })
  }
  const uploadOne = (kind: 'lfs' | 'xet') => {
    const content = randomBytes(largeBytes[kind])
    const path = nextPath(kind)
    return attempt(kind, 'main', path, content, async () => {
      const file = { path, content: new Blob([content]) }
      await uploadFile({ ...caller, repo, file, useXet: kind === 'xet' })
    })
  }
  let ready: { path: string; content: Buffer } | null = null
  async function prepare(): Promise<void> {
    // What a push that was cut off did is the hub's to say.
    await git(clone, ['fetch', '--quiet', 'origin'])
    await git(clone, ['reset', '--quiet', '--hard', `origin/${pushedBranch}`])
    ready = { path: nextPath('pushes'), content: small() }
    await mkdir(join(clone, 'pushes'), { recursive: true })
    await writeFile(join(clone, ready.path), ready.content)
    await git(clone, ['add', ready.path])
    const who = ['-c', 'user.name=alice', '-c', 'user.email=alice@example.org']
    await git(clone, [...who, 'commit', '--quiet', '-m', ready.path])
  }
  const pushOne = async () => {
    try {
      if (ready === null) await prepare()
    } catch (error) {
      if (await isAlive()) throw error
      return false
    }
    const { path, content } = ready!
    ready = null
    const send = async () => void (await git(clone, ['push', '--quiet', 'origin', `HEAD:${pushedBranch}`]))
    return attempt('pushes', pushedBranch, path, content, send)
  }

  async function checkPaths(paths: readonly string[], when: string): Promise<void> {
    const there = new Map<string, string>()
    for (const branch of ['main', pushedBranch])
      for await (const file of listFiles({ ...caller, repo, recursive: true, revision: branch }))
        if (file.type === 'file' && /^(?:commits|pushes|lfs|xet)\//.test(file.path))
          there.set(file.path, branch)
    for (const path of there.keys())
      expect(attempts.has(path), `${when}: ${path} was never written`).toBe(true)
    for (const path of paths) {
      const { isAcknowledged, branch, sha256 } = attempts.get(path)!
      if (isAcknowledged) expect(there.get(path), `${when}: ${path} was acknowledged`).toBe(branch)
      if (!there.has(path)) continue
      const answer = await fetch(`${hub.url}/${name}/resolve/${branch}/${path}`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      expect([answer.status, createHash('sha256').update(bytes).digest('hex')], `${when}: ${path}`).toEqual([
        200,
        sha256,
      ])
    }
    // The other side says the same.
    const seen = await promisify(execFile)('git', ['ls-remote', remote.href, 'refs/heads/*'])
    const heads = await fetch(`${hub.url}/api/models/${name}/refs`)
    const { branches } = (await heads.json()) as { branches: { name: string; targetCommit: string }[] }
    const lines = branches.map((branch) => `${branch.targetCommit}\trefs/heads/${branch.name}`)
    expect(seen.stdout.trimEnd().split('\n').toSorted(), when).toEqual(lines.toSorted())
  }

  return {
    prepare,
    async write() {
      const loops = [commitOne, () => uploadOne('lfs'), () => uploadOne('xet'), pushOne]
      await Promise.all(
        loops.map(async (one) => {
          while (await one());
        }),
      )
    },
    async check(when) {
      await checkPaths(unchecked, when)
      unchecked = []
    },
    checkAll: () => checkPaths([...attempts.keys()], 'at the end'),
    acknowledged() {
      const counts: Record<Kind, number> = { commits: 0, pushes: 0, lfs: 0, xet: 0 }
      for (const { kind, isAcknowledged } of attempts.values()) if (isAcknowledged) counts[kind] += 1
      return counts
    },
  }
}
