/** Starting and stopping as a person or an init system sees it: lines printed, files left, exit codes. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { createRepo, repoExists, uploadFile, whoAmI } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { cairnBin, cleanEnv, startHub, waitForHealth, waitForUrl } from './hub-process.ts'
import { noise } from './model-folder.ts'

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..')
const printedWithinMs = 2_000
const exitMaxMs = 20_000

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-start-'))
})
afterAll(() => rm(work, { recursive: true, force: true }))

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs `cairn serve` to its end, for starts that must fail. */
async function serveUntilExit(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [cairnBin, 'serve', ...args], { env: cleanEnv(env) })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text: Buffer) => (output.stdout += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output.stderr += text.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), exitMaxMs)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, ...output }
}

function expectOneClearLine({ code, stderr }: Ended, names: RegExp): void {
  expect(code).toBe(1)
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(names)
}

async function freshDir(): Promise<string> {
  return join(await mkdtemp(join(work, 'case-')), 'data')
}

function collectOutput(child: ChildProcess): () => string {
  let text = ''
  child.stdout?.on('data', (bytes: Buffer) => (text += bytes.toString()))
  child.stderr?.on('data', (bytes: Buffer) => (text += bytes.toString()))
  return () => text
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = (await exit) as [number | null]
  return code
}

describe('npm start', () => {
  test('prints the URL and the lines to paste within two seconds', async () => {
    const dataDir = await freshDir()
    const delays: number[] = []
    // Other files of this run share the processor: the best of a few starts is the hub's own time.
    for (let attempt = 0; attempt < 4 && !delays.some((ms) => ms < printedWithinMs); attempt += 1) {
      const startedAt = performance.now()
      const npm = spawn('npm', ['start', '--', '--port', '0', '--data', dataDir], {
        cwd: checkout,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: cleanEnv(),
      })
      const output = collectOutput(npm)
      const url = await waitForUrl(npm)
      await expect
        .poll(output, { timeout: 5_000, interval: 5 })
        .toMatch(/export HF_ENDPOINT=[\s\S]*export HF_TOKEN=[\s\S]*hf upload [\s\S]*hf download /)
      delays.push(performance.now() - startedAt)
      expect(output()).toContain(`export HF_ENDPOINT=${url}`)
      await waitForHealth(url)
      await stop(npm)
      await expect.poll(() => fetch(`${url}/health`).catch(() => null), { timeout: exitMaxMs }).toBeNull()
    }
    expect(Math.min(...delays)).toBeLessThan(printedWithinMs)
  })
})

describe('the first start', () => {
  test('keeps the token it makes in a file of its owner and off the output', async () => {
    await using hub = await startHub()
    const file = join(hub.dataDir, 'admin-token')
    const token = (await readFile(file, 'utf8')).trim()
    expect(token).toMatch(/^hf_[A-Za-z0-9]{34,}$/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(hub.log()).not.toContain(token)
    expect(hub.log()).toContain('admin-token')
    const me = await whoAmI({ hubUrl: hub.url, accessToken: token })
    expect(me.auth.accessToken?.role).toBe('write')
  })

  test('leaves nothing in the data directory that others may read', async () => {
    await using hub = await startHub()
    const open: string[] = []
    for (const entry of await readdir(hub.dataDir, { withFileTypes: true })) {
      const { mode } = await stat(join(hub.dataDir, entry.name))
      // A directory that only its owner may enter hides all that is in it.
      const reachable = ((await stat(hub.dataDir)).mode & 0o077) !== 0
      if (reachable && entry.isFile() && /secret|key|token/.test(entry.name) && (mode & 0o077) !== 0)
        open.push(entry.name)
    }
    expect(open).toEqual([])
  })

  test('shows the token on a terminal', async () => {
    const dataDir = await freshDir()
    // `script` gives the command a terminal of its own.
    const command = `exec '${process.execPath}' '${cairnBin}' serve --port 0 --data '${dataDir}'`
    const terminal = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: cleanEnv({ TERM: 'xterm' }),
    })
    const output = collectOutput(terminal)
    const url = await waitForUrl(terminal)
    await waitForHealth(url)
    const token = (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim()
    await expect.poll(output, { timeout: 5_000 }).toContain(token)
    await stop(terminal)
  })

  test('takes the token that the environment names', async () => {
    const token = 'hf_chosenByTheOperator0123456789abcdefghij'
    await using hub = await startHub({ env: { CAIRN_ADMIN_TOKEN: token } })
    const me = await whoAmI({ hubUrl: hub.url, accessToken: token })
    expect(me.auth.accessToken?.role).toBe('write')
    expect(hub.log()).not.toContain(token)
  })
})

describe('the second start', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    'continues where %s stopped the first',
    async (signal) => {
      await using hub = await startHub()
      const before = await readFile(join(hub.dataDir, 'admin-token'), 'utf8')
      const caller = { hubUrl: hub.url, accessToken: hub.token, repo: 'alice/kept' }
      await createRepo(caller)
      const made = await uploadFile({ ...caller, file: { path: 'kept.txt', content: new Blob(['kept\n']) } })
      expect(await hub.kill(signal)).toBe(signal === 'SIGKILL' ? null : 0)
      await hub.restart()
      expect(await readFile(join(hub.dataDir, 'admin-token'), 'utf8')).toBe(before)
      expect(await repoExists(caller)).toBe(true)
      const kept = await fetch(`${hub.url}/alice/kept/resolve/main/kept.txt`)
      expect(kept.headers.get('x-repo-commit')).toBe(made?.commit.oid)
      expect(await kept.text()).toBe('kept\n')
    },
  )
})

describe('a start that cannot succeed says so in one line', () => {
  test('port taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = address !== null && typeof address === 'object' ? String(address.port) : ''
    const dataDir = await freshDir()
    const ended = await serveUntilExit(['--port', port, '--data', dataDir])
    server.close()
    expectOneClearLine(ended, new RegExp(port))
    expect(existsSync(join(dataDir, 'admin-token'))).toBe(false)
  })

  test('data directory in use', async () => {
    await using hub = await startHub()
    const ended = await serveUntilExit(['--port', '0', '--data', hub.dataDir])
    expectOneClearLine(ended, new RegExp(hub.dataDir))
    await waitForHealth(hub.url)
  })

  test('data directory that cannot be written', async () => {
    const folder = await freshDir()
    await mkdir(folder)
    // Below a file no directory can be made, not even by root.
    await writeFile(join(folder, 'file'), 'not a folder')
    const dataDir = join(folder, 'file', 'data')
    expectOneClearLine(await serveUntilExit(['--port', '0', '--data', dataDir]), new RegExp(dataDir))
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('not a folder')
  })

  test('a bootstrap file that is not one', async () => {
    const dataDir = await freshDir()
    await mkdir(dataDir)
    const file = join(dirname(dataDir), 'bootstrap.json')
    await writeFile(file, '{"users": [{"nome": "alice"}]}')
    const ended = await serveUntilExit(['--port', '0', '--data', dataDir, '--bootstrap', file])
    expectOneClearLine(ended, /bootstrap.*users/)
  })

  test('an option that does not exist', async () => {
    const dataDir = await freshDir()
    const ended = await serveUntilExit(['--prot', '0', '--data', dataDir])
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toContain('--prot')
    expect(existsSync(dataDir)).toBe(false)
  })
})

describe('SIGTERM', () => {
  test('lets a running download finish and then exits with 0', async () => {
    await using hub = await startHub()
    const caller = { hubUrl: hub.url, accessToken: hub.token, repo: 'alice/draining' }
    await createRepo(caller)
    // Larger than what sockets on both sides can hold while nobody reads.
    const bytes = Buffer.from(noise('draining', 48 * 1024 * 1024))
    await uploadFile({ ...caller, useXet: false, file: { path: 'big.bin', content: new Blob([bytes]) } })

    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${hub.url}/alice/draining/resolve/main/big.bin`, resolve).once('error', reject)
    })
    expect(response.statusCode).toBe(200)
    const hash = createHash('sha256')
    const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
    const first = await chunks.next()
    hash.update(first.value!)
    const ended = hub.kill('SIGTERM')
    await delay(500)
    expect(await fetch(`${hub.url}/health`).catch(() => null), 'no new connections').toBeNull()
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      hash.update(next.value)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(await ended).toBe(0)
  })
})
