/**
 * LFS in parts. The parts of a real installation are far too large for a test, so this hub is made in the test's
 * process with small ones; the clients cut the file as they are told.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { downloadFile, uploadFile, createRepo } from '@huggingface/hub'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

import { noise } from './model-folder.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const MIB = 1024 * 1024
const { pythonNewest, python019 } = inject('clients')
const bytes = noise('multipart', 12 * MIB + 345)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const run = promisify(execFile)
let hub: TestHub
let recorder: Recorder
let work: string

beforeAll(async () => {
  hub = await startHub({ lfs: { basicMaxBytes: 5 * MIB, partBytes: 5 * MIB } })
  recorder = await startRecorder(hub.url)
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-multipart-'))
  await writeFile(join(work, 'weights.bin'), bytes)
})
afterAll(async () => {
  await recorder[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  await rm(work, { recursive: true, force: true })
})

const script = `
import hashlib, sys
from huggingface_hub import HfApi, hf_hub_download
repo, file = sys.argv[1:]
api = HfApi()
api.create_repo(repo)
api.upload_file(repo_id=repo, path_or_fileobj=file, path_in_repo="weights.bin")
print(hashlib.sha256(open(hf_hub_download(repo, "weights.bin"), "rb").read()).hexdigest())
`

test.skipIf(pythonNewest === null).each([
  { client: 'huggingface_hub newest', python: pythonNewest, repo: 'alice/parts-newest' },
  { client: 'huggingface_hub 0.19.4', python: python019, repo: 'alice/parts-old' },
])('$client uploads a file in parts', async ({ python, repo }) => {
  const env = {
    ...process.env,
    HF_ENDPOINT: recorder.url,
    HF_TOKEN: TOKENS.alice,
    HF_HOME: join(work, repo),
    HF_HUB_DISABLE_XET: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
  }
  const { stdout } = await run(python!, ['-c', script, repo, join(work, 'weights.bin')], { env })
  expect(stdout.trim()).toBe(sha256)
  await expectThreeParts()
})

test('@huggingface/hub uploads a file in parts', async () => {
  const caller = { hubUrl: recorder.url, accessToken: TOKENS.alice, repo: 'alice/parts-js', useXet: false }
  await createRepo(caller)
  await uploadFile({
    ...caller,
    file: { path: 'weights.bin', content: new Blob([bytes as Uint8Array<ArrayBuffer>]) },
  })
  const file = await downloadFile({ ...caller, path: 'weights.bin' })
  const received = Buffer.from(await (file as Blob).arrayBuffer())
  expect(createHash('sha256').update(received).digest('hex')).toBe(sha256)
  await expectThreeParts()
})

/** 12 MiB in parts of 5 MiB, and none of them left once they are joined. */
async function expectThreeParts(): Promise<void> {
  const parts = recorder.take().filter(({ method, path }) => method === 'PUT' && path.includes('/parts/'))
  expect(parts.map(({ requestBodySizeBytes }) => requestBodySizeBytes).toSorted((a, b) => b - a)).toEqual([
    5 * MIB,
    5 * MIB,
    2 * MIB + 345,
  ])
  expect(await leftoverParts()).toEqual([])
}

async function leftoverParts(): Promise<string[]> {
  const found: string[] = []
  for await (const id of hub.hub.ops.blobs.parts.listStale(Date.now() + 1000)) found.push(id)
  return found
}
