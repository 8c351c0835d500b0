/** What is done to a hub while its disk fails or its process dies. Each attempt is what a client does, from the beginning. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { parseCommitLine, type CommitOperation } from '@cairn/protocol/api/commit'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import { formatShard } from '@cairn/protocol/xet/shard'
import { TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { generateContent } from '@cairn/testkit/xet-content'

import { livingRepo, type RepoLocator } from '../../src/ops/access.ts'
import { authenticate } from '../../src/ops/authenticate.ts'
import { collectStep } from '../../src/ops/collection/collect.ts'
import { applyCommit } from '../../src/ops/commits.ts'
import type { OpsContext } from '../../src/ops/context.ts'
import { deleteRepo, purgeDue } from '../../src/ops/deleted-repos.ts'
import { completeParts, receiveObject, receivePart } from '../../src/ops/lfs.ts'
import { DEFAULT_REGISTRY } from '../../src/ops/locate.ts'
import { removeOriginal, replaceObject } from '../../src/ops/xet/migrate.ts'
import { receiveShard, receiveXorb } from '../../src/ops/xet/upload.ts'
import { lfsKey } from '../../src/store/keys.ts'
import { createRepo, file, lfsFile, sha256 } from '../client.ts'
import { CHUNK_BYTES, makeXetFile, xetLine } from '../xet-client.ts'

const SIZE_BYTES = Number(process.env['CAIRN_FAULT_BYTES'] ?? 100_000)

export interface Stage {
  hub: TestHub
  /** `ns/name` of the repository that all is done to. */
  id: string
  /** Its contents have been there for so long that no upload counts on them any more. */
  pass: () => void
  /** Paths of what a client was told to be there. */
  acknowledged: Map<string, Uint8Array>
}

/** What is attempted, from the beginning each time. Throws unless all of it was done. */
export interface Scene {
  attempt(ctx: OpsContext): Promise<void>
  /** What is acknowledged when the attempt has returned. */
  files?: ReadonlyMap<string, Uint8Array>
}

/** Sets one scene, another one for each seed. */
export type Operation = (stage: Stage, seed: number) => Promise<Scene>

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  async 'an LFS upload'({ id }, seed) {
    const bytes = content(seed)
    const path = `lfs-${seed}.bin`
    return {
      files: new Map([[path, bytes]]),
      attempt: (ctx) => uploadLfs(ctx, id, path, bytes),
    }
  },

  async 'an LFS upload in parts'({ id }, seed) {
    const bytes = content(seed)
    const path = `parts-${seed}.bin`
    const object = { oid: sha256(bytes), sizeBytes: bytes.length }
    const uploadId = `upload-${seed}`
    const half = bytes.length >> 1
    return {
      files: new Map([[path, bytes]]),
      async attempt(ctx) {
        const parts: { partNumber: number; etag: string }[] = []
        const repo = await repoOf(ctx, id)
        for (const [index, part] of [bytes.subarray(0, half), bytes.subarray(half)].entries()) {
          const address = { use: 'part', ...object, uploadId, partNumber: index + 1 } as const
          const { etag } = await receivePart(ctx, repo, address, once(part), part.length)
          parts.push({ partNumber: index + 1, etag })
        }
        await completeParts(ctx, repo, { use: 'complete', ...object, uploadId }, parts)
        await commit(ctx, id, [lfsFile(path, bytes)])
      },
    }
  },

  async 'a Xet upload'({ id }, seed) {
    const made = makeXetFile(seed, Math.ceil(SIZE_BYTES / CHUNK_BYTES))
    const path = `xet-${seed}.bin`
    return {
      files: new Map([[path, made.content]]),
      async attempt(ctx) {
        await uploadXet(ctx, id, made)
        await commit(ctx, id, [xetLine(path, made)])
      },
    }
  },

  async 'a commit'({ id }, seed) {
    const path = `text-${seed}.txt`
    return {
      files: new Map([[path, Buffer.from(`text ${seed}`)]]),
      attempt: (ctx) => commit(ctx, id, [file(path, `text ${seed}`)]),
    }
  },

  async migration({ hub, id, acknowledged }, seed) {
    const bytes = content(seed)
    const path = `migrated-${seed}.bin`
    const { ops } = hub.hub
    await uploadLfs(ops, id, path, bytes)
    acknowledged.set(path, bytes)
    const { id: repoId, domainId } = await repoOf(ops, id)
    const object = { domainId, oid: sha256(bytes) }
    await ops.catalog.tx((rows) => rows.lfsMigrations.insert(object, ops.clock()))
    return {
      async attempt(ctx) {
        await replaceObject(ctx, object, async () => undefined)
        await removeOriginal(ctx, object)
        const { blobs, lfsMigrations } = ctx.catalog.rows
        const stored = (await blobs.contentOf(repoId, [object.oid])).get(object.oid)
        if (stored?.kind !== 'xet' || (await lfsMigrations.get(object)) !== null)
          throw new Error(`${path} was not migrated`)
      },
    }
  },

  /** Of an LFS object and a Xet file that no commit names, parts of nothing, and bytes without a row. */
  async collection({ hub, id, pass }, seed) {
    const { ops } = hub.hub
    const repo = await repoOf(ops, id)
    const bytes = content(seed)
    await receiveObject(ops, repo, { oid: sha256(bytes), sizeBytes: bytes.length }, once(bytes))
    await uploadXet(ops, id, makeXetFile(seed))
    await ops.blobs.parts.put(`given-up-${seed}`, 1, once(bytes), bytes.length)
    const stray = lfsKey(repo.domainId, sha256(`stray ${seed}`))
    const path = join(hub.dataDir, 'blobs', 'blobs', stray)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, 'stray')
    pass()
    return {
      async attempt(ctx) {
        await collect(ctx)
        for (const key of [lfsKey(repo.domainId, sha256(bytes)), stray])
          if ((await ctx.blobs.stat(key)) !== null) throw new Error(`${key} is there`)
      },
    }
  },

  async 'the end of a repository'({ hub, pass }, seed) {
    const id = await createRepo(hub, 'alice', `alice/ended-${seed}`)
    const { ops } = hub.hub
    await uploadLfs(ops, id, 'model.bin', content(seed))
    const made = makeXetFile(seed)
    await uploadXet(ops, id, made)
    await commit(ops, id, [xetLine('xet.bin', made)])
    const { domainId } = await repoOf(ops, id)
    pass()
    return {
      async attempt(ctx) {
        if ((await livingRepo(ctx, locatorOf(id))) !== null)
          await deleteRepo(ctx, await alice(ctx), locatorOf(id), { grace: false })
        await purgeDue(ctx, 10)
        await collect(ctx)
        const key = lfsKey(domainId, sha256(content(seed)))
        if ((await ctx.blobs.stat(key)) !== null) throw new Error(`${key} is there`)
      },
    }
  },
}

/** All that can go, at once. Throws when something could not be removed. */
export async function collect(ctx: OpsContext): Promise<void> {
  let cursor: string | null = null
  do {
    const step = await collectStep(ctx, { dryRun: false, graceMs: 0 }, cursor)
    if (step.findings[0] !== undefined) throw new Error(step.findings[0].message)
    cursor = step.cursor
  } while (cursor !== null)
}

function content(seed: number): Buffer {
  return Buffer.from(generateContent({ recipe: 'random', seed, sizeBytes: SIZE_BYTES }))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const alice = (ctx: OpsContext) => authenticate(ctx, TOKENS.alice)

function locatorOf(id: string): RepoLocator {
  const [namespace = '', name = ''] = id.split('/')
  return { registry: DEFAULT_REGISTRY, type: 'model', namespace, name }
}

async function repoOf(ctx: OpsContext, id: string) {
  const repo = await livingRepo(ctx, locatorOf(id))
  if (repo === null) throw new Error(`${id} is gone`)
  return repo
}

type Line = ReturnType<typeof file>

async function commit(ctx: OpsContext, id: string, lines: readonly Line[]): Promise<void> {
  await applyCommit(ctx, await alice(ctx), locatorOf(id), 'main', operationsOf(lines))
}

async function* operationsOf(lines: readonly Line[]): AsyncGenerator<CommitOperation> {
  const header = { key: 'header', value: { summary: 'change', description: '' } }
  for (const [index, line] of [header, ...lines].entries())
    yield parseCommitLine(JSON.stringify(line), index + 1, assertRepoPath)
}

async function uploadLfs(ctx: OpsContext, id: string, path: string, bytes: Buffer): Promise<void> {
  const object = { oid: sha256(bytes), sizeBytes: bytes.length }
  await receiveObject(ctx, await repoOf(ctx, id), object, once(bytes))
  await commit(ctx, id, [lfsFile(path, bytes)])
}

async function uploadXet(ctx: OpsContext, id: string, made: ReturnType<typeof makeXetFile>): Promise<void> {
  const repo = await repoOf(ctx, id)
  await receiveXorb(ctx, repo, made.xorb.hash, once(made.xorb.bytes))
  await receiveShard(ctx, repo, formatShard(made.shard))
}
