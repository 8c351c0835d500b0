/**
 * Clients between 0.19.4 and the newest that speak in ways neither of them does: hf_xet 1.1.5 uses the singular CAS
 * paths and V1 reconstructions, and huggingface_hub 0.33.5 reads Xet tokens from headers only.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, inject, test } from 'vitest'

import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub, type HubProcess } from './hub-process.ts'
import { digests, readManifest, writeOddFolder } from './model-folder.ts'
import { startPython } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const python033 = inject('clients').python['0.33.5'] ?? null
let work: string
let hub: HubProcess
let recorder: Recorder

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-generations-'))
  await writeOddFolder(join(work, 'folder'), { large: false })
  hub = await startHub()
  recorder = await startRecorder(hub.url)
})
afterAll(async () => {
  await recorder[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  await rm(work, { recursive: true, force: true })
})
printOnFailure(() => hub.log())

test.skipIf(python033 === null)('huggingface_hub 0.33.5 with hf-xet 1.1.5 makes the round trip', async () => {
  const folder = join(work, 'folder')
  const manifest = await readManifest(folder)
  const plan = { repo: 'alice/first-xet', folder }
  await using walk = startPython(python033!, 'first_xet.py', plan, recorder, {
    home: join(work, 'home'),
    env: {},
  })

  const upload = await walk.next<{ xet: boolean }>('upload')
  expect(upload.facts.xet).toBe(true)
  const sent = upload.exchanges.filter(({ method }) => method === 'POST').map(({ path }) => path)
  expect(sent).toContainEqual(expect.stringMatching(/\/cas\/g1\/[^/]+\/xorb\/default\/[0-9a-f]{64}$/))
  expect(sent).toContainEqual(expect.stringMatching(/\/cas\/g1\/[^/]+\/shard\/[^/]+\/[0-9a-f]{64}$/))

  const download = await walk.next<{ sha256: string }>('download')
  expect(download.facts.sha256).toBe(manifest['model.safetensors']?.sha256)
  expect(download.exchanges.map(({ path }) => path)).toContainEqual(
    expect.stringMatching(/\/cas\/g1\/[^/]+\/reconstruction\/[0-9a-f]{64}$/),
  )

  const snapshot = await walk.next<{ digests: Record<string, string> }>('snapshot')
  expect(snapshot.facts.digests).toMatchObject(digests(manifest))
  expect((await walk.next('delete')).facts).toEqual({ exists: false })
  expect(await fsckAll(hub.dataDir)).toEqual([])
})
