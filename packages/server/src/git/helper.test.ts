import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { GIT_PROCESSES_MAX, GIT_QUEUE_MAX } from '../limits.ts'
import { GitHelper } from './helper.ts'

let gitDir: string
let helper: GitHelper

beforeAll(async () => {
  gitDir = await mkdtemp(join(tmpdir(), 'helper-test-'))
  execFileSync('git', ['init', '-q', '--bare', gitDir])
  helper = await GitHelper.open()
})
afterAll(async () => {
  await helper[Symbol.asyncDispose]()
  await rm(gitDir, { recursive: true })
})

/** A git that never ends by itself: it waits for its stdin. */
const waiting = { args: ['cat-file', '--batch'], resident: true }

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Process ids of git processes of this repository. */
function gitPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`GIT_DIR=${gitDir}`)
      } catch {
        return false
      }
    })
    .map(Number)
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5000; !condition(); await sleep(10))
    if (Date.now() > deadline) throw new Error('it did not happen')
}

test('git reads what is written and its bytes come back whole', async () => {
  const blob = Buffer.alloc(3_000_000, 'abcdefg\n')
  const oid = (await helper.runGit({ args: ['hash-object', '-w', '--stdin'], gitDir, stdin: blob }))
    .toString()
    .trim()
  expect(oid).toBe(execFileSync('git', ['hash-object', '--stdin'], { input: blob }).toString().trim())
  expect(await helper.runGit({ args: ['cat-file', 'blob', oid], gitDir })).toEqual(blob)
})

test('a failing git tells its exit code and the beginning of its stderr', async () => {
  const exit = await helper.collect({ args: ['cat-file', '-p', 'nothing'], gitDir })
  expect(exit.code).toBe(128)
  expect(exit.stderr).toContain('Not a valid object name nothing')
  await expect(helper.runGit({ args: ['cat-file', '-p', 'nothing'], gitDir })).rejects.toMatchObject({
    reason: 'exit',
  })
})

test('a git that fails without reading its stdin still tells why', async () => {
  const exit = await helper.collect({
    args: ['cat-file', '-p', 'nothing'],
    gitDir,
    stdin: Buffer.alloc(4_000_000),
  })
  expect(exit).toMatchObject({ code: 128, stderr: expect.stringContaining('nothing') as string })
})

test('nothing of our environment reaches git', async () => {
  process.env['GIT_CONFIG_COUNT'] = '1'
  process.env['GIT_CONFIG_KEY_0'] = 'user.name'
  process.env['GIT_CONFIG_VALUE_0'] = 'leak'
  try {
    await using fresh = await GitHelper.open()
    const config = await fresh.runGit({ args: ['config', '--list', '--show-scope'], gitDir })
    expect(config.toString()).not.toMatch(/leak|^global|^system/m)
  } finally {
    for (const key of ['GIT_CONFIG_COUNT', 'GIT_CONFIG_KEY_0', 'GIT_CONFIG_VALUE_0']) delete process.env[key]
  }
})

test('a folder that is not there and too much output are errors of the call alone', async () => {
  await expect(helper.runGit({ args: ['version'], gitDir: '/nonexistent/x' })).rejects.toMatchObject({
    reason: 'start',
  })
  await expect(helper.runGit({ args: ['version'], gitDir, stdoutMaxBytes: 3 })).rejects.toMatchObject({
    reason: 'output',
  })
  expect((await helper.runGit({ args: ['version'], gitDir })).toString()).toMatch(/^git version/)
})

test('abort, timeout and kill end the process', async () => {
  const abort = new AbortController()
  const aborted = await helper.spawnGit({ ...waiting, gitDir, signal: abort.signal })
  const timedOut = await helper.spawnGit({ args: waiting.args, gitDir, timeoutMs: 50 })
  const killed = await helper.spawnGit({ ...waiting, gitDir })
  expect(gitPids().length).toBeGreaterThanOrEqual(2)
  abort.abort()
  killed.kill()
  await expect(aborted.exited).rejects.toMatchObject({ reason: 'aborted' })
  await expect(timedOut.exited).rejects.toMatchObject({ reason: 'timeout' })
  expect(await killed.exited).toMatchObject({ code: null, signal: 'SIGKILL' })
  await until(() => gitPids().length === 0)
  await expect(
    helper.runGit({ args: ['version'], gitDir, signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ reason: 'aborted' })
})

test('more calls than processes wait for their turn', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, n) =>
      helper.runGit({ args: ['rev-parse', '--sq-quote', `${n}`], gitDir }),
    ),
  )
  expect(answers.map((answer) => answer.toString().trim())).toEqual(
    Array.from({ length: 60 }, (_, n) => `'${n}'`),
  )
})

test('when the helper is killed, running calls reject, their gits end, and the next call starts another', async () => {
  const running = await Promise.all([1, 2, 3].map(async () => helper.spawnGit({ ...waiting, gitDir })))
  const starting = helper.runGit({ args: ['version'], gitDir })
  const before = helper.pid!
  process.kill(before, 'SIGKILL')
  for (const { exited } of running) await expect(exited).rejects.toMatchObject({ reason: 'helper' })
  // It may have ended in time.
  await starting.catch((error: unknown) => expect(error).toMatchObject({ reason: 'helper' }))
  expect((await helper.runGit({ args: ['version'], gitDir })).toString()).toMatch(/^git version/)
  expect(helper.pid).not.toBe(before)
  await until(() => gitPids().length === 0)
})

test('the helper outlives Ctrl-C, but not the server: its gits and its socket go with it', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'h-'))
  const script = `
    const { GitHelper } = await import(${JSON.stringify(new URL('helper.ts', import.meta.url).href)})
    const helper = await GitHelper.open()
    await helper.spawnGit({ args: ['cat-file', '--batch'], gitDir: ${JSON.stringify(gitDir)}, resident: true })
    console.log(helper.pid)
    setInterval(() => {}, 1000)`
  const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  process.kill(pid, 'SIGINT')
  process.kill(pid, 'SIGTERM')
  await sleep(100)
  expect(isAlive(pid)).toBe(true)
  expect(gitPids()).toHaveLength(1)
  expect(readdirSync(temporary)).toHaveLength(1)
  server.kill('SIGKILL')
  await until(() => !isAlive(pid) && gitPids().length === 0 && readdirSync(temporary).length === 0)
  await rm(temporary, { recursive: true })
})

test('who comes when all wait is told to come again', async () => {
  const abort = new AbortController()
  const call = { args: ['cat-file', '--batch'], gitDir, signal: abort.signal }
  const calls = Array.from({ length: GIT_PROCESSES_MAX + GIT_QUEUE_MAX }, () => helper.spawnGit(call))
  const settled = Promise.allSettled(calls)
  await expect(helper.spawnGit(call)).rejects.toMatchObject({
    code: 'Unavailable',
    headers: { 'Retry-After': '5' },
  })
  abort.abort()
  await settled
  expect(await helper.runGit({ args: ['version'], gitDir })).toBeTruthy()
})
