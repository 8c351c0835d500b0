/** Who may have a data directory, and what is left when one may not. */
import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { assertUsable, DataDirError, openDataDir } from './data-dir.ts'

const asRoot = process.getuid?.() === 0
let dir: string
const children: ChildProcess[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-data-dir-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const open = (path: string, options = {}): ReturnType<typeof openDataDir> =>
  openDataDir(path, { random: randomBytes, ...options })
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

/** Another process that opens the directory and keeps it. */
async function holder(path: string): Promise<ChildProcess> {
  const script = join(dir, 'holder.ts')
  await writeFile(
    script,
    `import { randomBytes } from 'node:crypto'
     import { openDataDir } from ${JSON.stringify(join(import.meta.dirname, 'data-dir.ts'))}
     const held = await openDataDir(${JSON.stringify(path)}, { random: randomBytes })
     await held.announce('http://127.0.0.1:4711')
     process.send('held')
     setInterval(() => held.path, 1000)`,
  )
  const child = fork(script, { silent: true })
  children.push(child)
  const first = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (first[0] !== 'held') throw new Error('the child could not open the directory')
  return child
}

test('the first start makes a private directory with a secret that stays', async () => {
  const path = join(dir, 'deep', 'data')
  const first = await open(path)
  await first.writeAdminToken('hf_one')
  const secret = Buffer.from(first.secrets.signing).toString('hex')
  await first.announce('http://127.0.0.1:1')
  expect(JSON.parse(await readFile(join(path, 'server.json'), 'utf8'))).toEqual({
    pid: process.pid,
    url: 'http://127.0.0.1:1',
  })
  for (const file of ['secrets.json', 'server.json', 'admin-token', 'lock'])
    expect(await modeOf(join(path, file))).toBe('600')
  expect(await modeOf(path)).toBe('700')
  expect(await readdir(path)).not.toContain('lock-journal')
  await first[Symbol.asyncDispose]()
  await first[Symbol.asyncDispose]()
  expect(await readdir(path)).toEqual(['admin-token', 'blobs', 'lock', 'repos', 'secrets.json'])

  await using second = await open(path, { mustExist: true })
  expect(Buffer.from(second.secrets.signing).toString('hex')).toBe(secret)
  expect(secret).toMatch(/^[0-9a-f]{64}$/)
  expect(await second.readAdminToken()).toBe('hf_one')
})

test('a second opener in the same process is refused, and does not break the lock of the first', async () => {
  await using held = await open(dir)
  await expect(open(dir)).rejects.toThrow(`process ${process.pid}`)
  await expect(assertUsable(dir)).rejects.toBeInstanceOf(DataDirError)
  // Were the lock lost by the refusals above, another process could take it now.
  await expect(holder(held.path)).rejects.toThrow('could not open')
})

test('the directory of a live process is refused by its pid and URL; after kill -9 it is free', async () => {
  const path = join(dir, 'data')
  const child = await holder(path)
  const before = await snapshot(path)
  const refusal = await open(path).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(DataDirError)
  expect((refusal as DataDirError).owner).toEqual({ pid: child.pid, url: 'http://127.0.0.1:4711' })
  expect((refusal as DataDirError).message).toContain(`process ${child.pid} at http://127.0.0.1:4711`)
  expect((refusal as DataDirError).message).not.toContain('\n')
  expect(await snapshot(path)).toEqual(before)

  child.kill('SIGKILL')
  await once(child, 'exit')
  await using reopened = await open(path)
  expect(reopened.path).toBe(path)
})

test('what cannot be a data directory is refused and stays as it was', async () => {
  const file = join(dir, 'file')
  await writeFile(file, 'mine')
  await expect(open(file)).rejects.toThrow(/is not a directory/)
  await expect(open(join(file, 'below'))).rejects.toThrow(/is not a directory/)
  expect(await readFile(file, 'utf8')).toBe('mine')
  await expect(open(join(dir, 'none'), { mustExist: true })).rejects.toThrow(/no hub in/)
  await expect(open(dir, { mustExist: true })).rejects.toThrow(/no hub in/)
  expect(await readdir(dir)).toEqual(['file'])
})

test.skipIf(process.platform !== 'linux')('a file system that makes no directories is refused', async () => {
  await expect(open('/proc/cairn/data')).rejects.toBeInstanceOf(DataDirError)
})

test.skipIf(asRoot)('an unwritable directory is refused', async () => {
  const path = join(dir, 'closed')
  await mkdir(path)
  await chmod(path, 0o500)
  await expect(open(path)).rejects.toThrow(/not writable/)
  await expect(open(join(path, 'below'))).rejects.toThrow(/not writable/)
  expect(await readdir(path)).toEqual([])
})

test('damaged secrets are not replaced in silence', async () => {
  await (await open(dir))[Symbol.asyncDispose]()
  await writeFile(join(dir, 'secrets.json'), '{"signing":"00"}')
  await expect(open(dir)).rejects.toThrow(/damaged/)
  expect(await readFile(join(dir, 'secrets.json'), 'utf8')).toBe('{"signing":"00"}')
  // The refused opener has let go.
  await rm(join(dir, 'secrets.json'))
  await using reopened = await open(dir)
  expect(reopened.path).toBe(dir)
})

async function snapshot(path: string): Promise<unknown[]> {
  const names = (await readdir(path, { recursive: true })).sort()
  return Promise.all(
    names.map(async (name) => {
      const info = await stat(join(path, name))
      return [name, info.mtimeMs, info.isFile() ? await readFile(join(path, name), 'hex') : null]
    }),
  )
}
