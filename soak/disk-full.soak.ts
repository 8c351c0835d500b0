/** A volume that is really full, under a real process. Needs the right to mount one; else it says so and skips. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { fsckAll } from '../e2e/fsck.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from '../e2e/hub-process.ts'

const MIB = 2 ** 20

let volume: string | null = null
let hub: HubProcess

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    console.log(`Skipped: no volume can be mounted here (${String(error).split('\n')[0]})`)
    await rm(folder, { recursive: true })
    return
  }
  volume = folder
  hub = await startHub({
    dataDir: join(folder, 'data'),
    expectedErrors: /no space left on device|disk is full/i,
  })
})

afterAll(async () => {
  if (volume === null) return
  await hub[Symbol.asyncDispose]()
  execFileSync('umount', [volume])
  await rm(volume, { recursive: true })
})

printOnFailure(() => (volume === null ? '' : hub.log().slice(-5000)))

async function ask(path: string, body: unknown): Promise<Response> {
  return fetch(hub.url + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens.alice}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

function commit(path: string, sizeBytes: number): Promise<Response> {
  // Content that does not compress.
  const bytes = Buffer.concat(
    Array.from({ length: Math.ceil(sizeBytes / 64) }, (_, n) =>
      createHash('sha512').update(`${path}${n}`).digest(),
    ),
  )
  const lines = [
    { key: 'header', value: { summary: 'x' } },
    { key: 'file', value: { path, content: bytes.toString('base64'), encoding: 'base64' } },
  ]
  return ask('/api/models/alice/tiny/commit/main', lines.map((line) => JSON.stringify(line)).join('\n'))
}

async function upload(sizeBytes: number): Promise<Response> {
  const bytes = Buffer.alloc(sizeBytes, 'x')
  const oid = createHash('sha256').update(bytes).digest('hex')
  const batch = { operation: 'upload', transfers: ['basic'], objects: [{ oid, size: sizeBytes }] }
  const planned = (await (await ask('/alice/tiny.git/info/lfs/objects/batch', batch)).json()) as {
    objects: { actions: { upload: { href: string } } }[]
  }
  return fetch(planned.objects[0]!.actions.upload.href, { method: 'PUT', body: bytes })
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (const piece of [Buffer.alloc(MIB), Buffer.alloc(4096)])
      for (;;) if ((await file.write(piece)).bytesWritten < piece.length) break
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    for (;;) {
      try {
        await file.write(Buffer.alloc(4096))
      } catch {
        // Not a page is left.
        return
      }
    }
  } finally {
    await file.close()
  }
}

test('a full volume is said to be full, and nothing is lost', async ({ skip }) => {
  if (volume === null) return skip()
  expect((await ask('/api/repos/create', { name: 'tiny' })).status).toBe(200)
  expect((await commit('before', 1000)).status).toBe(200)
  const head = await headOf()

  const filler = join(volume, 'filler')
  await fill(filler)
  for (const answer of [await commit('big', 5 * MIB), await upload(5 * MIB), await commit('small', 100)]) {
    expect({
      status: answer.status,
      code: answer.headers.get('X-Error-Code'),
      text: await answer.text(),
    }).toMatchObject({
      status: 507,
      code: 'InsufficientStorage',
    })
  }
  expect(await headOf()).toBe(head)
  expect(await (await fetch(`${hub.url}/alice/tiny/resolve/main/before`)).arrayBuffer()).toHaveProperty(
    'byteLength',
    1024,
  )
  expect(await readdir(join(volume, 'data', 'blobs', 'staging'))).toEqual([])

  await rm(filler)
  expect((await upload(5 * MIB)).status).toBe(200)
  expect((await commit('after', 5 * MIB)).status).toBe(200)
  await hub.restart()
  expect((await commit('again', 100)).status).toBe(200)
  expect(await fsckAll(join(volume, 'data'))).toEqual([])
})

async function headOf(): Promise<unknown> {
  return ((await (await fetch(`${hub.url}/api/models/alice/tiny`)).json()) as { sha: unknown }).sha
}
