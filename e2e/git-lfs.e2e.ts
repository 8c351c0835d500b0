/**
 * git-lfs as people use it, and that what it carries is what `hf` carries: large files that came one way go the other,
 * byte for byte. A recorder stands between the clients and the hub, and cuts a download.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { GitClient } from '@cairn/testkit/git-client'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { cellsOf } from './cells.ts'
import { isFull } from './generations.ts'
import { gitLfsVersion } from './git-versions.ts'
import { HostedRepo, kinds as allKinds } from './hosted-repo.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { noise } from './model-folder.ts'
import { administer, mountPath, registryPrefix } from './mount.ts'
import { clientEnv } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const run = promisify(execFile)
const { pythonNewest } = inject('clients')
// How large files travel does not depend on the kind: one is enough where time is short.
const kinds = isFull ? allKinds : allKinds.slice(0, 1)
const manyCount = 150
const stack = new AsyncDisposableStack()
let hub: HubProcess
let recorder: Recorder
let client: GitClient

beforeAll(async () => {
  if (gitLfsVersion === null) return
  client = stack.use(await GitClient.open())
  hub = stack.use(await startHub())
  recorder = stack.use(await startRecorder(hub.url))
  await administer(hub, 'member', 'set', 'acme', 'bob', 'write')
  if (isFull) await mountPath(hub, 'prefix')
  await client.git('', 'lfs', 'install', '--skip-repo')
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => (gitLfsVersion === null ? '' : `${recorder.report()}\n--- the hub said\n${hub.log()}`))

describe.each(kinds)('git-lfs on a $label', ({ label, ...kind }) => {
  const setting = { client: 'git-lfs', version: gitLfsVersion ?? '', mount: kind.mount, xet: null }
  const step = cellsOf(setting, { skip: gitLfsVersion === null })
  const withHf = cellsOf(setting, { skip: gitLfsVersion === null || pythonNewest === null })
  const rare = cellsOf(setting, { skip: gitLfsVersion === null || !isFull })
  const rareWithHf = cellsOf(setting, { skip: gitLfsVersion === null || pythonNewest === null || !isFull })
  const name = label.replaceAll(' ', '-')
  const work = `${name}-work`
  const pushed = noise(`${label} pushed`, 300_000)
  const uploaded = noise(`${label} uploaded`, 2_000_000)
  const type = ['--repo-type', kind.type]
  let repo: HostedRepo

  beforeAll(async () => {
    if (gitLfsVersion === null) return
    repo = await HostedRepo.create({ url: recorder.url, dataDir: hub.dataDir }, kind, `lfs-${name}`)
    await client.git('', 'clone', '-q', repo.remote(), work)
  })

  const git = (folder: string, ...args: string[]) => client.git(folder, ...args)
  const bytesAt = (folder: string, path: string) => readFile(join(client.folder, folder, path))

  async function commitHere(folder: string, files: Record<string, string | Uint8Array>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(client.folder, folder, path)), { recursive: true })
      await writeFile(join(client.folder, folder, path), content)
    }
    await git(folder, 'add', '-A')
    await git(folder, 'commit', '-q', '-m', Object.keys(files)[0]!)
  }

  async function hf(...args: string[]): Promise<void> {
    const endpoint = recorder.url + (kind.mount === 'root' ? '' : registryPrefix)
    const env = clientEnv({ endpoint, home: join(client.folder, `${name}-home`) })
    await run(pythonNewest!, [join(dirname(pythonNewest!), 'hf'), ...args], { env })
  }

  const lfsObjects = async (folder: string) =>
    (await readdir(join(client.folder, folder), { recursive: true }))
      .map((path) => path.split('/').at(-1)!)
      .filter((path) => /^[0-9a-f]{64}$/.test(path))

  step('a push carries the objects, and the API tells them', async () => {
    await commitHere(work, { 'pushed.bin': pushed, 'README.md': '---\nlicense: mit\n---\n' })
    await git(work, 'push', '-q', 'origin', 'main')
    const pointer = await git(work, 'show', 'HEAD:pushed.bin')
    const oid = /oid sha256:(\w+)/.exec(pointer)?.[1]
    const entry = (await repo.tree('main')).find(({ path }) => path === 'pushed.bin')
    expect(entry).toMatchObject({ size: pushed.length, lfs: { oid, size: pushed.length } })
    await repo.expectAgreement(client)
    // Once more: the hub has it already.
    recorder.take()
    await git(work, 'lfs', 'push', '--all', 'origin')
    expect(recorder.take().filter(({ method }) => method === 'PUT')).toEqual([])
  })

  withHf('what git-lfs pushed comes down by hf download', async () => {
    const folder = `${name}-downloaded`
    await hf('download', repo.id, 'pushed.bin', ...type, '--local-dir', join(client.folder, folder))
    expect(Buffer.compare(await bytesAt(folder, 'pushed.bin'), pushed)).toBe(0)
  })

  withHf('what hf upload sent over Xet arrives by git lfs pull', async () => {
    await writeFile(join(client.folder, `${name}.bin`), uploaded)
    recorder.take()
    await hf('upload', repo.id, join(client.folder, `${name}.bin`), 'uploaded.bin', ...type)
    expect(recorder.take().some(({ path }) => path.includes('/xorbs/'))).toBe(true)
    const skipping = await client.run(work, ['pull', '-q', '--ff-only'], { GIT_LFS_SKIP_SMUDGE: '1' })
    expect(skipping.code, skipping.stderr).toBe(0)
    expect((await bytesAt(work, 'uploaded.bin')).toString()).toContain('oid sha256:')
    await git(work, 'lfs', 'pull')
    expect(Buffer.compare(await bytesAt(work, 'uploaded.bin'), uploaded)).toBe(0)
    expect(await git(work, 'status', '--porcelain')).toBe('')
    await git(work, 'lfs', 'fsck')
    await repo.expectAgreement(client)
  })

  step('a clone has the files, and with GIT_LFS_SKIP_SMUDGE pointers', async () => {
    await git('', 'clone', '-q', repo.remote(), `${name}-smudged`)
    expect(Buffer.compare(await bytesAt(`${name}-smudged`, 'pushed.bin'), pushed)).toBe(0)
    const env = { GIT_LFS_SKIP_SMUDGE: '1' }
    await client.run('', ['clone', '-q', repo.remote(), `${name}-skipped`], env)
    expect((await bytesAt(`${name}-skipped`, 'pushed.bin')).toString()).toContain(`size ${pushed.length}\n`)
    expect(await lfsObjects(`${name}-skipped/.git`)).toEqual([])
  })

  step('a download that is cut goes on where it was', async () => {
    const folder = `${name}-cut`
    const cloned = await client.run('', ['clone', '-q', repo.remote(), folder], { GIT_LFS_SKIP_SMUDGE: '1' })
    expect(cloned.code, cloned.stderr).toBe(0)
    recorder.take()
    recorder.cutAnswer('GET', /\/info\/lfs\/objects\//, 100_000)
    // It may give up, or go on by itself.
    await client.run(folder, ['lfs', 'pull', '--include=pushed.bin'])
    await git(folder, 'lfs', 'pull', '--include=pushed.bin')
    const served = recorder
      .take()
      .filter(({ method, path }) => method === 'GET' && path.includes('/objects/'))
    expect(served.map(({ status, responseBodySizeBytes }) => [status, responseBodySizeBytes])).toEqual([
      [200, 100_000],
      [206, pushed.length - 100_000],
    ])
    expect(Buffer.compare(await bytesAt(folder, 'pushed.bin'), pushed)).toBe(0)
  })

  step('git lfs fetch --all has every version, and push --all takes it elsewhere', async () => {
    await commitHere(work, { 'pushed.bin': noise(`${label} again`, 200_000) })
    await git(work, 'push', '-q', 'origin', 'main', 'main:kept')
    const mirror = `${name}-mirror`
    await git('', 'clone', '-q', '--mirror', repo.remote(), mirror)
    await git(mirror, 'lfs', 'fetch', '--all')
    const pointers = (await git(work, 'lfs', 'ls-files', '--all', '--long')).split('\n')
    const oids = pointers.map((line) => line.slice(0, 64)).toSorted()
    expect(await lfsObjects(mirror).then((found) => found.toSorted())).toEqual(oids)
    expect(oids.length).toBeGreaterThan(1)
    const elsewhere = await HostedRepo.create(repo.hub, kind, `elsewhere-${name}`, { initialCommit: false })
    await git(mirror, 'lfs', 'push', '--all', elsewhere.remote())
    await git(mirror, 'push', '-q', '--mirror', elsewhere.remote())
    const content = async (one: HostedRepo) =>
      (await one.tree('kept')).map(({ path, oid, lfs }) => [path, oid, lfs?.oid])
    expect(await content(elsewhere)).toEqual(await content(repo))
    await elsewhere.expectAgreement(client)
  })

  step('locks are made, listed, in the way of a push, and taken away', async () => {
    const other = `${name}-bob`
    await git('', 'clone', '-q', repo.remote(tokens.bob), other)
    await git(work, 'lfs', 'lock', 'pushed.bin')
    expect(await git(other, 'lfs', 'locks')).toMatch(/pushed\.bin\s+alice\s+ID:/)
    expect(await git(work, 'lfs', 'locks', '--verify')).toMatch(/^O pushed\.bin/)
    expect(await client.refused(other, 'lfs', 'lock', 'pushed.bin')).toContain('alice')
    await git(other, 'config', 'lfs.locksverify', 'true')
    await commitHere(other, { 'pushed.bin': noise(`${label} of bob`, 1_000) })
    expect(await client.refused(other, 'push', 'origin', 'main')).toMatch(/pushed\.bin - alice/)
    expect(await client.refused(other, 'lfs', 'unlock', 'pushed.bin')).toMatch(/alice|lock/)
    await git(work, 'lfs', 'unlock', 'pushed.bin')
    expect(await git(other, 'lfs', 'locks')).toBe('')
    await git(other, 'push', '-q', 'origin', 'main')
    await git(work, 'pull', '-q', '--ff-only')
    await git(work, 'lfs', 'lock', 'pushed.bin')
    await git(other, 'lfs', 'unlock', '--force', 'pushed.bin')
    expect(await git(work, 'lfs', 'locks')).toBe('')
    await repo.expectAgreement(client)
  })

  step('an object that is not there is named, and a pointer to it is not taken', async () => {
    const folder = `${name}-lost`
    await git('', 'clone', '-q', repo.remote(), folder)
    const oid = '0123456789abcdef'.repeat(4)
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 5\n`
    await commitHere(folder, { 'lost.bin': pointer })
    expect(await client.refused(folder, 'lfs', 'fetch', 'origin', 'main')).toMatch(
      /404|does not exist|not found/i,
    )
    const pushing = ['push', '--no-verify', 'origin', 'main']
    expect(await client.refused(folder, ...pushing)).toContain(`lost.bin: ${oid} was not uploaded`)
    expect(await client.refused(folder, 'push', 'origin', 'main')).toContain(oid)
    await repo.expectAgreement(client)
  })

  step('the token may be a user name, in a header, or come from a helper', async () => {
    const address = repo.address()
    const helper = `!f() { echo username=hf_user; echo password=${tokens.alice}; }; f`
    const ways = [
      { url: address.replace('://', `://${tokens.alice}@`), config: '' },
      { url: address, config: `http.extraHeader=Authorization: Bearer ${tokens.alice}` },
      { url: address, config: `credential.helper=${helper}` },
    ]
    for (const [index, { url, config }] of ways.entries()) {
      const folder = `${name}-way-${index}`
      const bytes = noise(`${label} ${folder}`, 10_000)
      await git('', ...(config === '' ? [] : ['-c', config]), 'clone', '-q', url, folder)
      if (config !== '') await git(folder, 'config', ...config.split(/=(.*)/s).slice(0, 2))
      await commitHere(folder, { [`way-${index}.bin`]: bytes })
      await git(folder, 'push', '-q', 'origin', 'main')
      const answer = await fetch(repo.address(`/resolve/main/way-${index}.bin`), {
        headers: { Authorization: `Bearer ${tokens.alice}` },
      })
      expect(Buffer.compare(Buffer.from(await answer.arrayBuffer()), bytes)).toBe(0)
    }
    await repo.expectAgreement(client)
  })

  rare(`${manyCount} objects in one push`, async () => {
    const files = Array.from({ length: manyCount }, (_, index) => [
      `many/${index}.bin`,
      noise(`${label} ${index}`, 2_000 + index),
    ])
    await git(work, 'pull', '-q', '--ff-only')
    await commitHere(work, Object.fromEntries(files) as Record<string, Uint8Array>)
    await git(work, 'push', '-q', 'origin', 'main')
    await git('', 'clone', '-q', repo.remote(), `${name}-many`)
    for (const [path, bytes] of files)
      expect(Buffer.compare(await bytesAt(`${name}-many`, String(path)), bytes as Uint8Array)).toBe(0)
    await repo.expectAgreement(client)
  })

  rareWithHf('hf lfs-enable-largefiles sends parts', async () => {
    const bin = join(client.folder, `${name}-bin`)
    await mkdir(bin)
    await writeFile(
      join(bin, 'hf'),
      `#!/bin/sh\nexec '${pythonNewest}' '${dirname(pythonNewest!)}/hf' "$@"\n`,
    )
    await chmod(join(bin, 'hf'), 0o755)
    const parts = await HostedRepo.create(repo.hub, kind, `parts-${name}`, { lfsmultipartthresh: 100_000 })
    const folder = `${name}-parts`
    await git('', 'clone', '-q', parts.remote(), folder)
    await hf('lfs-enable-largefiles', join(client.folder, folder))
    const bytes = noise(`${label} in parts`, 400_000)
    await commitHere(folder, { 'parts.bin': bytes })
    recorder.take()
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    const ran = await client.run(folder, ['push', 'origin', 'main'], env)
    expect(ran.code, ran.stderr).toBe(0)
    const sent = recorder.take().filter(({ method, path }) => method === 'PUT' && path.includes('/parts/'))
    expect(sent.map(({ requestBodySizeBytes }) => requestBodySizeBytes)).toEqual([bytes.length])
    await git('', 'clone', '-q', parts.remote(), `${folder}-again`)
    expect(Buffer.compare(await bytesAt(`${folder}-again`, 'parts.bin'), bytes)).toBe(0)
  })

  step('objects go up and down by the old name of a renamed repository', async () => {
    const folder = `${name}-renamed`
    const bytes = noise(`${label} by the old name`, 10_000)
    await git('', 'clone', '-q', repo.remote(), folder)
    const old = repo.remote()
    await repo.moveTo(`renamed-${name}`)
    await commitHere(folder, { 'old-name.bin': bytes })
    await git(folder, 'push', '-q', 'origin', 'main')
    await git('', 'clone', '-q', old, `${folder}-again`)
    expect(Buffer.compare(await bytesAt(`${folder}-again`, 'old-name.bin'), bytes)).toBe(0)
    await repo.expectAgreement(client)
  })
})
