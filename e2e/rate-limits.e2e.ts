/** What stock clients do when they are too many: the newest waits as long as it is told, 0.19.4 tells its user. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { commit, createRepo } from '@huggingface/hub'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

import { cleanEnv } from './hub-process.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const { pythonNewest, python019 } = inject('clients')
const WINDOW_S = 2
const WATCH_MS = 20
const run = promisify(execFile)
let hub: TestHub
/** The hub's clock stands until somebody was refused: a slow machine cannot end the window before that. */
let time = Date.UTC(2026, 0, 1)
let runsSince: number | null = null
const clock = (): number => time + (runsSince === null ? 0 : Date.now() - runsSince)
let recorder: Recorder
let work: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-limits-'))
  hub = await startHub({ clock, flags: { rateLimits: `resolvers=3,window=${WINDOW_S}` } })
  recorder = await startRecorder(hub.url)
  const caller = { hubUrl: recorder.url, accessToken: TOKENS.root, repo: 'root/files' }
  await createRepo(caller)
  const operations = ['a.txt', 'b.txt'].map((path) => ({
    operation: 'addOrUpdate' as const,
    path,
    content: new Blob([path]),
  }))
  await commit({ ...caller, title: 'Two files', operations })
  recorder.take()
})
afterAll(async () => {
  await recorder[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  await rm(work, { recursive: true, force: true })
})

/** A HEAD and a GET for each file: the second GET is one too many. */
async function download(python: string, token: string, script: string): Promise<string> {
  const env = cleanEnv({
    HF_ENDPOINT: recorder.url,
    HF_TOKEN: token,
    HF_HOME: await mkdtemp(join(work, 'home-')),
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
  })
  time = clock()
  runsSince = null
  const refusals = () => recorder.report().split(' 429 ').length
  const before = refusals()
  const watch = setInterval(() => {
    if (runsSince === null && refusals() > before) runsSince = Date.now()
  }, WATCH_MS)
  try {
    return (await run(python, ['-c', `${preamble}${script}`], { env })).stdout.trim()
  } finally {
    clearInterval(watch)
  }
}

const preamble = `
import time
from huggingface_hub import hf_hub_download
def read(name):
    return open(hf_hub_download("root/files", name)).read()
print(read("a.txt"))
`

function asked(): string[] {
  return recorder
    .take()
    .filter(({ path }) => path.includes('/resolve/'))
    .map(({ method, path, status }) => `${method} ${path.split('/').at(-1)} ${status}`)
}

test.skipIf(pythonNewest === null)('the newest huggingface_hub waits until the window ends', async () => {
  expect(await download(pythonNewest!, TOKENS.alice, 'print(read("b.txt"))')).toBe('a.txt\nb.txt')
  // Its own pauses would be 1 s and 2 s: a second refusal would stand here.
  expect(asked()).toEqual([
    'HEAD a.txt 200',
    'GET a.txt 200',
    'HEAD b.txt 200',
    'GET b.txt 429',
    'GET b.txt 200',
  ])
})

test.skipIf(python019 === null)(
  'huggingface_hub 0.19.4 says what happened, and works again after it',
  async () => {
    const script = `
from huggingface_hub.utils import HfHubHTTPError
try:
    read("b.txt")
except HfHubHTTPError as error:
    print(error.response.status_code, "3 requests of the kind 'resolvers'" in str(error))
    # The second more is for the test's clock, which starts late.
    time.sleep(int(error.response.headers["Retry-After"]) + 1)
print(read("b.txt"))
`
    expect(await download(python019!, TOKENS.bob, script)).toBe('a.txt\n429 True\nb.txt')
    expect(asked().filter((line) => line.endsWith('429'))).toEqual(['GET b.txt 429'])
  },
)
