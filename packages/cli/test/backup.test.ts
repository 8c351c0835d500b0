/** An operator backs a hub up while it runs, loses it, and brings it back, with the commands of the manual. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

const BIN = join(import.meta.dirname, '../bin/cairn.js')
let dir: string
let hub: ChildProcess | null = null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-backup-'))
})
afterEach(async () => {
  hub?.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const options = () => ({ cwd: dir, env: { PATH: process.env['PATH'], CAIRN_DATA: join(dir, 'data') } })

function cairn(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, 'admin', ...args], options(), (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    )
  })
}

async function serve(): Promise<void> {
  hub = spawn(process.execPath, [BIN, 'serve', '--port', '0'], {
    ...options(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(hub.stdout!, 'data')
}

test('backed up while it runs, lost, and brought back', async () => {
  await serve()
  await cairn('user', 'create', 'alice')
  await cairn('repo', 'create', 'alice/one')
  const saved = await cairn('backup', 'saved')
  expect(saved).toMatchObject({ code: 0, out: '' })
  expect(saved.err).toMatch(/^Backed up to .*saved: \d+ files copied, \d+ bytes\.\n$/)
  const again = await cairn('backup', 'saved', '--json')
  expect(JSON.parse(again.out)).toMatchObject({ files: 0, sizeBytes: 0, findings: [] })
  expect(await readdir(join(dir, 'data/snapshots'))).toEqual([])

  expect(await cairn('restore', 'saved')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/data is not empty: give a new directory with --data\n$/),
  })
  hub!.kill('SIGKILL')
  await once(hub!, 'exit')
  await rm(join(dir, 'data'), { recursive: true })
  const restored = await cairn('restore', 'saved', '--full')
  expect(restored).toMatchObject({ code: 0, out: '' })
  expect(restored.err).toMatch(/^Restored to .*\n1 repositories, .* checked, no problem is left\.\n$/)
  expect((await cairn('repo', 'list', '--json')).out).toContain('"alice/one"')
  // The token of the administrator is the one that it was.
  await access(join(dir, 'data/admin-token'))
})

test('at rest: verify, repair and rebuild-index end with what they did, and wrong places are refused', async () => {
  await serve()
  hub!.kill('SIGTERM')
  await once(hub!, 'exit')
  expect(await cairn('verify')).toMatchObject({
    code: 0,
    err: '0 files with 0 bytes verified, no problem is left.\n',
  })
  expect(await cairn('repair')).toMatchObject({ code: 0, err: expect.stringContaining('no problem is left') })
  expect(await cairn('rebuild-index')).toMatchObject({ code: 0, err: expect.stringContaining('0 xorbs') })
  expect(await cairn('backup', 'data/saved')).toMatchObject({
    code: 2,
    err: expect.stringContaining('another folder'),
  })
  await writeFile(join(dir, 'thesis.txt'), 'precious')
  expect(await cairn('backup', '.')).toMatchObject({
    code: 1,
    err: expect.stringContaining('something else'),
  })
  expect(await cairn('restore', 'nowhere', '--data', 'new')).toMatchObject({
    code: 1,
    err: expect.stringContaining('holds no backup'),
  })
  await expect(access(join(dir, 'new'))).rejects.toThrow('ENOENT')
})
