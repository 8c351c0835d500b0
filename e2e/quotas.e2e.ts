/**
 * Stock clients at a full repository: each shows its user which quota is full, sends nothing in vain again and again, and
 * goes on reading.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { GitClient } from '@cairn/testkit/git-client'
import type * as Hub from '@huggingface/hub'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

import { isFull, jsGenerations } from './generations.ts'
import { gitLfsVersion } from './git-versions.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { noise } from './model-folder.ts'
import { administer, post } from './mount.ts'
import { clientEnv } from './python-walk.ts'

const run = promisify(execFile)
const { pythonNewest, python019, js } = inject('clients')
const repo = 'alice/full'
const MESSAGE =
  /Storage quota exceeded: 'alice\/full' has 2\.0\d MB of 3\.00 MB, and this needs 2\.00 MB more/
const FULL = /Storage quota exceeded: 'alice\/full' has 2\.0\d MB of 1\.00 MB/
const there = noise('there', 2_000_000)
const stack = new AsyncDisposableStack()
let hub: HubProcess
let work: string

beforeAll(async () => {
  hub = stack.use(await startHub())
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-quota-'))
  stack.defer(() => rm(work, { recursive: true, force: true }))
  await writeFile(join(work, 'there.bin'), there)
  await writeFile(join(work, 'more.bin'), noise('more', 2_000_000))
  await post(`${hub.url}/api/repos/create`, JSON.stringify({ name: 'full' }))
  const moduleOf = await import('@huggingface/hub')
  await upload(moduleOf, 'there.bin', there, false)
  await administer(hub, 'repo', 'quota', repo, '3MB')
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => hub.log())

/** 0.15 knows `credentials` only. */
const signedIn: { accessToken: string } = Object.assign(
  { accessToken: tokens.alice },
  { credentials: { accessToken: tokens.alice } },
)

function upload(module: typeof Hub, path: string, bytes: Uint8Array, useXet: boolean): Promise<unknown> {
  return module.uploadFile({
    repo,
    ...signedIn,
    hubUrl: hub.url,
    file: { path, content: new Blob([Uint8Array.from(bytes)]) },
    useXet,
  })
}

/** What a program that must fail said. */
async function complaint(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const failed = await run(program, args, { env, cwd: work }).then(
    ({ stdout }) => Promise.reject(new Error(`it went well:\n${stdout}`)),
    (error: { stdout?: string; stderr?: string }) => error,
  )
  return `${failed.stdout}${failed.stderr}`
}

const UPLOAD = `
import sys
from huggingface_hub import HfApi
HfApi().upload_file(path_or_fileobj="more.bin", path_in_repo=sys.argv[1], repo_id="${repo}")
`
const DOWNLOAD = `
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download("${repo}", "there.bin"))
`

test.each([
  { label: 'newest, Xet', python: pythonNewest, env: {} },
  { label: 'newest, LFS', python: pythonNewest, env: { HF_HUB_DISABLE_XET: '1' } },
  { label: '0.19.4', python: python019, env: {} },
])('huggingface_hub $label', async ({ label, python, env: more }) => {
  if (python === null) return
  const home = join(work, label)
  const env = { ...clientEnv({ endpoint: hub.url, home }), ...more }
  const since = Date.now()
  expect(await complaint(python, ['-c', UPLOAD, 'more.bin'], env)).toMatch(MESSAGE)
  // What is tried again waits longer than that.
  expect(Date.now() - since).toBeLessThan(20_000)
  const { stdout } = await run(python, ['-c', DOWNLOAD], { env })
  expect((await readFile(stdout.trim())).equals(there)).toBe(true)
})

test('huggingface_hub, with nothing left at all', async () => {
  if (pythonNewest === null) return
  await administer(hub, 'repo', 'quota', repo, '1MB')
  try {
    const env = clientEnv({ endpoint: hub.url, home: join(work, 'none-left') })
    expect(await complaint(pythonNewest, ['-c', UPLOAD, 'more.bin'], env)).toMatch(FULL)
  } finally {
    await administer(hub, 'repo', 'quota', repo, '3MB')
  }
})

const jsVersions = (isFull ? jsGenerations : jsGenerations.slice(-1)).map(({ version }) => version)

test.each(jsVersions.flatMap((version) => [true, false].map((useXet) => ({ version, useXet }))))(
  '@huggingface/hub $version, Xet $useXet',
  async ({ version, useXet }) => {
    const path = js[version]
    if (path === null || path === undefined) return
    const module = (await import(path)) as typeof Hub
    await expect(upload(module, 'more.bin', noise('js', 2_000_000), useXet)).rejects.toThrow(MESSAGE)
    const file = await module.downloadFile({
      repo,
      path: 'there.bin',
      ...signedIn,
      hubUrl: hub.url,
    })
    expect(Buffer.from(await file!.arrayBuffer()).equals(there)).toBe(true)
  },
)

test('git-lfs', async () => {
  if (gitLfsVersion === null) return
  await using git = await GitClient.open()
  const remote = `${hub.url.replace('//', `//alice:${tokens.alice}@`)}/${repo}`
  await git.git('', 'lfs', 'install', '--skip-repo')
  await git.git('', 'clone', '-q', remote, 'work')
  expect((await readFile(join(git.folder, 'work/there.bin'))).equals(there)).toBe(true)
  await mkdir(dirname(join(git.folder, 'work/more.bin')), { recursive: true })
  await writeFile(join(git.folder, 'work/more.bin'), noise('git', 2_000_000))
  await git.git('work', 'add', '-A')
  await git.git('work', 'commit', '-q', '-m', 'more')
  expect(await git.refused('work', 'push', 'origin', 'HEAD')).toMatch(MESSAGE)
})
