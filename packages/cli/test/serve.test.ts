/** The life of a hub as its operator sees it: real processes, real signals, one data directory. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, beforeEach, expect, test } from 'vitest'

const BIN = join(import.meta.dirname, '../bin/cairn.js')
let dir: string
let data: string
const children: ChildProcess[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-serve-'))
  data = join(dir, 'data')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const environment = (env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  ...env,
})

/** A command that ends by itself. */
async function cairn(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { env: environment(env), cwd: dir }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    )
  })
}

interface RunningHub {
  url: string
  token: string
  banner: string
  child: ChildProcess
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

async function serve(args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<RunningHub> {
  const child = spawn(process.execPath, [BIN, 'serve', '--data', data, '--port', '0', ...args], {
    env: environment(env),
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let banner = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (banner += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  while (!banner.includes('hf download')) {
    if (child.exitCode !== null) throw new Error(`the hub ended with ${child.exitCode}: ${err}`)
    await sleep(10)
  }
  return {
    url: /ready at (\S+)/.exec(banner)?.[1] ?? '',
    token: (await readFile(join(data, 'admin-token'), 'utf8')).trim(),
    banner,
    child,
    async stop(signal = 'SIGTERM') {
      const exit = once(child, 'exit')
      child.kill(signal)
      const [code, by] = (await exit) as [number | null, NodeJS.Signals | null]
      return { code, signal: by }
    },
  }
}

async function whoami(url: string, token: string): Promise<{ status: number; name: unknown }> {
  const response = await fetch(`${url}/api/whoami-v2`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, name: ((await response.json()) as { name?: unknown }).name }
}

test('a first start answers, shows where the token lies but not the token, and the second one goes on', async () => {
  const first = await serve()
  expect(first.banner).toContain(`export HF_ENDPOINT=${first.url}`)
  expect(first.banner).toContain(`export HF_TOKEN="$(cat ${data}/admin-token)"`)
  expect(first.banner).not.toContain(first.token)
  expect(first.token).toMatch(/^hf_[A-Za-z0-9]{34}$/)
  expect((await stat(join(data, 'admin-token'))).mode & 0o777).toBe(0o600)
  expect((await fetch(`${first.url}/health`)).status).toBe(200)
  expect(await whoami(first.url, first.token)).toEqual({ status: 200, name: 'admin' })
  expect(await first.stop()).toEqual({ code: 0, signal: null })
  expect(await readdir(data)).not.toContain('server.json')

  const second = await serve()
  expect(second.token).toBe(first.token)
  expect(await whoami(second.url, first.token)).toMatchObject({ status: 200 })
  expect(await second.stop('SIGINT')).toEqual({ code: 0, signal: null })
})

test('kill -9 needs no cleaning up', async () => {
  const first = await serve()
  await first.stop('SIGKILL')
  const second = await serve()
  expect(await whoami(second.url, first.token)).toMatchObject({ status: 200 })
})

test('CAIRN_ADMIN_TOKEN is the token of the first administrator, and a changed one replaces it', async () => {
  const first = await serve([], { CAIRN_ADMIN_TOKEN: 'hf_chosen_one' })
  expect(first.token).toBe('hf_chosen_one')
  await first.stop()
  const second = await serve([], { CAIRN_ADMIN_TOKEN: 'hf_chosen_two' })
  expect(second.token).toBe('hf_chosen_two')
  expect(await whoami(second.url, 'hf_chosen_two')).toMatchObject({ status: 200 })
  expect((await whoami(second.url, 'hf_chosen_one')).status).toBe(401)
})

test('a bootstrap file is there after the start, and an impossible one leaves no trace', async () => {
  const file = join(dir, 'users.json')
  await writeFile(
    file,
    '{"users":[{"name":"a.B","tokens":[{"name":"t","role":"write","token":"hf_mine"},{"name":"u","role":"read"}]}]}',
  )
  for (let start = 0; start < 2; start++) {
    const hub = await serve(['--bootstrap', file])
    expect(await whoami(hub.url, 'hf_mine')).toEqual({ status: 200, name: 'a.B' })
    const [user, name, made] = (await readFile(join(data, 'bootstrap-tokens'), 'utf8')).trim().split('\t')
    expect([user, name, (await whoami(hub.url, made ?? '')).status]).toEqual(['a.B', 'u', 200])
    await hub.stop()
  }
  await writeFile(file, '{"users":[{"name":"a.B","nick":"x"}]}')
  const fresh = join(dir, 'fresh')
  const { code, out, err } = await cairn(['serve', '--data', fresh, '--port', '0', '--bootstrap', file])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/^cairn: bootstrap: \S+\.json: users\[0\]: .*"nick".*\n$/)
  await expect(access(fresh)).rejects.toThrow()
})

test('a taken port, a live owner, a file in the way, another schema: one line, exit 1, nothing touched', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  expect(await cairn(['serve', '--data', data, '--port', String(port)])).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^cairn: 127\.0\.0\.1 port \d+ is taken: .*--port.*\n$/),
  })
  taken.close()
  await expect(access(data)).rejects.toThrow()

  const hub = await serve()
  expect(await cairn(['serve', '--data', data, '--port', '0'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(
      new RegExp(`^cairn: .* is in use by process ${hub.child.pid} at ${hub.url}: .*\n$`),
    ),
  })
  await hub.stop()

  await writeFile(join(dir, 'file'), '')
  expect(await cairn(['serve', '--data', 'file', '--port', '0'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^cairn: .*is not a directory.*\n$/),
  })

  const catalogPath = join(data, 'catalog.db')
  await rm(catalogPath)
  const foreign = new DatabaseSync(catalogPath)
  foreign.exec('create table other (a); pragma user_version = 4711')
  foreign.close()
  const before = await readFile(catalogPath)
  const names = await readdir(data)
  const { code, err } = await cairn(['serve', '--data', data, '--port', '0'])
  expect({ code, lines: err.trimEnd().split('\n').length }, err).toEqual({ code: 1, lines: 1 })
  expect(await readFile(catalogPath)).toEqual(before)
  expect(await readdir(data)).toEqual(names)
})

test('administration works on a running hub, on a stopped one, and from elsewhere with a token', async () => {
  const hub = await serve()
  const admin = (...args: string[]) => cairn(['admin', ...args, '--data', data])
  expect(await admin('user', 'create', 'ada')).toMatchObject({ code: 0 })
  const running = await admin('token', 'create', 'ada', '--name', 'laptop')
  expect(await whoami(hub.url, running.out.trim())).toEqual({ status: 200, name: 'ada' })
  expect(await admin('user', 'create', 'ADA')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^cairn: .* is taken .*\n$/),
  })

  const elsewhere = (token: string) =>
    cairn(['admin', 'user', 'list', '--json', '--endpoint', hub.url], { HF_TOKEN: token })
  expect(JSON.parse((await elsewhere(hub.token)).out)).toMatchObject(
    [{ name: 'ada' }, { name: 'admin' }].reverse().sort(byName),
  )
  expect(await elsewhere(running.out.trim())).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('administrator'),
  })
  await hub.stop()

  expect(await admin('org', 'create', 'acme')).toMatchObject({ code: 0 })
  expect(await admin('member', 'set', 'acme', 'ada', 'write')).toMatchObject({ code: 0 })
  expect(await admin('registry', 'create', 'acme/staging')).toMatchObject({ code: 0 })
  await writeFile(join(dir, 'token'), 'hf_chosen\n')
  expect(await admin('token', 'create', 'ada', '--name', 'chosen', '--token-file', 'token')).toMatchObject({
    out: 'hf_chosen\n',
  })
  expect(JSON.parse((await admin('registry', 'list', '--json')).out)).toMatchObject([
    { org: null },
    { path: '/acme/staging/huggingface' },
  ])
  const again = await serve()
  expect(await whoami(again.url, 'hf_chosen')).toEqual({ status: 200, name: 'ada' })
})

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}

test('fsck tells what is wrong with a running hub and with one at rest, and mends refs', async () => {
  const hub = await serve()
  const fsck = (...args: string[]) => cairn(['admin', 'fsck', ...args, '--data', data])
  await cairn(['admin', 'repo', 'create', 'admin/one', '--data', data])
  await cairn(['admin', 'repo', 'create', 'admin/two', '--data', data])
  expect(await fsck()).toEqual({
    code: 0,
    out: '',
    err: '2 repositories, 0 large files and 0 xorbs checked, no problem is left.\n',
  })

  const listed = await cairn(['admin', 'repo', 'list', '--json', '--data', data])
  const { storageId } = (JSON.parse(listed.out) as { id: string; storageId: string }[]).find(
    ({ id }) => id === 'admin/one',
  )!
  const heads = join(data, 'repos', storageId.slice(-2), `${storageId}.git`, 'refs/heads')
  await rm(join(heads, 'main'))
  const found = await fsck()
  expect(found).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^cairn: problems left: 1 \(2 repositories, .* checked\);/),
  })
  expect(found.out).toMatch(
    /^model admin\/one: refs\/heads\/main: git has no such ref, the catalog [0-9a-f]{40}\n$/,
  )
  await hub.stop()

  expect(await fsck('--repair')).toMatchObject({ code: 0, out: expect.stringContaining('(repaired)') })
  expect(await readdir(heads)).toEqual(['main'])
  expect(await fsck('--full')).toMatchObject({ code: 0, out: '' })
  expect(await fsck('admin/none')).toMatchObject({ code: 1, err: expect.stringContaining('not found') })
})

test('what nothing needs is removed by a running hub and in a data directory at rest', async () => {
  const stray = join(data, 'blobs/blobs/lfs/d0/ab/ab')
  const hub = await serve()
  const gc = (...args: string[]) => cairn(['admin', 'gc', ...args, '--data', data])
  await mkdir(stray, { recursive: true })
  await writeFile(join(stray, 'ab'.repeat(32)), 'left by a crash')
  const waits = 'nothing; grace is left for 1 LFS objects (15 B), no problem is left.\n'
  expect(await gc('--dry-run')).toEqual({ code: 0, out: '', err: `would remove ${waits}` })
  expect(await gc()).toEqual({ code: 0, out: '', err: `removed ${waits}` })
  await hub.stop()
  expect(await gc('--grace', '0', '--dry-run')).toMatchObject({ code: 0 })
  expect(await readdir(stray)).toHaveLength(1)
  const gone = 'removed 1 LFS objects (15 B), no problem is left.\n'
  expect(await gc('--grace', '0')).toEqual({ code: 0, out: '', err: gone })
  expect(await readdir(stray)).toEqual([])
  expect(await gc('--grace', 'soon')).toMatchObject({ code: 2 })
})

test('storage is told for the hub, an owner and its repositories', async () => {
  await (await serve()).stop()
  await cairn(['admin', 'user', 'create', 'ann', '--data', data])
  await cairn(['admin', 'repo', 'create', 'ann/one', '--data', data])
  const storage = (...args: string[]) => cairn(['admin', 'storage', ...args, '--json', '--data', data])
  const nothing = { logicalBytes: 0, onDiskBytes: 0 }
  expect(JSON.parse((await storage()).out)).toEqual([{ of: 'all', kind: 'hub', ...nothing }])
  expect(JSON.parse((await storage('ann')).out)).toEqual([{ of: 'ann', kind: 'user', ...nothing }])
  expect(await storage('nobody')).toMatchObject({ code: 1, err: expect.stringContaining('nobody') })
})

test('a repository is packed when an operator asks, by a running hub and in a data directory at rest', async () => {
  const hub = await serve()
  const repo = (...args: string[]) => cairn(['admin', 'repo', ...args, '--data', data])
  await repo('create', 'admin/one')
  const packed = await repo('repack', 'admin/one')
  expect(packed).toEqual({
    code: 0,
    out: 'Packed repo: id admin/one, type model, packs 1, looseObjects 0, looseRefs 0\n',
    err: '',
  })
  expect(await repo('repack', 'admin/none', '--prune')).toMatchObject({
    code: 1,
    err: expect.stringContaining('not found'),
  })
  await hub.stop()
  const again = await repo('repack', 'admin/one', '--prune', '--json')
  expect(JSON.parse(again.out)).toMatchObject({ packs: 1, looseObjects: 0, looseRefs: 0 })
  expect(await cairn(['admin', 'fsck', '--data', data])).toMatchObject({ code: 0 })
})
