/**
 * Keeps a repository small and quick: loose objects and small packs become one pack with a bitmap, and what no ref
 * reaches any more goes after a grace. Everything that takes long runs beside readers and writers; only the deletion
 * of what has been replaced wants the repository for itself, and that takes milliseconds.
 */
import { readdir, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  GIT_REPACK_TIMEOUT_MS,
  GIT_REPACK_WINDOW_MAX_BYTES,
  GIT_TEMPORARY_FILE_MAX_AGE_MS,
} from '../limits.ts'
import { syncFolder } from './durable.ts'
import type { GitHelper } from './helper.ts'

export interface Clutter {
  looseObjects: number
  packs: number
  looseRefs: number
}

/** Its modification time tells when the last full repack was. */
const FULL_REPACK_MARK = 'cairn-full-repack'

export async function measureClutter(gitDir: string): Promise<Clutter> {
  const packs = (await readdir(join(gitDir, 'objects/pack'))).filter((name) => name.endsWith('.pack'))
  const refs = await readdir(join(gitDir, 'refs'), { recursive: true, withFileTypes: true })
  return {
    looseObjects: (await looseObjects(gitDir)).length,
    packs: packs.length,
    looseRefs: refs.filter((entry) => entry.isFile()).length,
  }
}

/**
 * Rolls loose objects and the smaller packs into one, so that packs stay few and each is at least twice the next.
 * Nothing is lost, whether or not a ref reaches it.
 */
export async function repackGeometrically(
  helper: GitHelper,
  gitDir: string,
  signal?: AbortSignal,
): Promise<void> {
  await makeRoom(gitDir)
  const args = ['repack', '--geometric=2', '-d', '-l', '-n', '-q', '--write-midx', '--write-bitmap-index']
  await git(helper, gitDir, args, { signal })
  await syncFolder(join(gitDir, 'objects/pack'))
  await writeCommitGraph(helper, gitDir, signal)
}

/** Puts refs that lie in files of their own into one file. */
export async function packRefs(helper: GitHelper, gitDir: string): Promise<void> {
  await git(helper, gitDir, ['pack-refs', '--all', '--prune'])
  await syncFolder(gitDir)
}

/** When everything was last packed anew; the repository's age when it never was. Milliseconds since the epoch. */
export async function lastFullRepack(gitDir: string): Promise<number> {
  const mark = await stat(join(gitDir, FULL_REPACK_MARK)).catch(() => null)
  return (mark ?? (await stat(join(gitDir, 'config')))).mtimeMs
}

/**
 * Packs what refs reach into one pack, and what they do not reach into another, without what nobody wrote or packed
 * since `expireBefore` (milliseconds since the epoch). The old packs stay until the returned function is called; that
 * must happen while no ref of the repository can move, and only when none has moved since the start.
 */
export async function repackWhole(
  helper: GitHelper,
  gitDir: string,
  expireBefore: number,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  await makeRoom(gitDir)
  const startedAt = new Date()
  const loose = await looseObjects(gitDir)
  const packFolder = join(gitDir, 'objects/pack')
  const old = await packsOf(packFolder)
  const whole = ['--honor-pack-keep', '--non-empty', '--delta-base-offset', '-q', join(packFolder, 'pack')]
  const reachable = ['--keep-true-parents', '--all', '--write-bitmap-index']
  const kept = await git(helper, gitDir, ['pack-objects', ...reachable, ...whole], { signal })
  const fresh = packNames(kept)
  // For git, packs that it is to keep come as they are, and those that will go behind a dash.
  const names = [
    ...fresh,
    ...[...old.keys()].filter((name) => !fresh.includes(name)).map((name) => `-${name}`),
  ]
  const expiration = `--cruft-expiration=${Math.floor(expireBefore / 1000)}`
  const rest = await git(helper, gitDir, ['pack-objects', '--cruft', expiration, ...whole], { names, signal })
  fresh.push(...packNames(rest))
  await syncFolder(packFolder)

  return async () => {
    // git would look for the old packs that it names.
    for (const name of await readdir(packFolder))
      if (name.startsWith('multi-pack-index')) await rm(join(packFolder, name), { force: true })
    const now = await packsOf(packFolder)
    for (const [name, written] of old) {
      // One that was written again meanwhile has objects that somebody counts on.
      if (fresh.includes(name) || now.get(name) !== written) continue
      const stem = name.slice(0, -'.pack'.length)
      for (const end of ['idx', 'pack', 'rev', 'bitmap', 'mtimes'])
        await rm(join(packFolder, `${stem}.${end}`), { force: true })
    }
    for (const { path, writtenAt } of loose) {
      const found = await stat(path).catch(() => null)
      if (found?.mtimeMs === writtenAt) await rm(path, { force: true })
    }
    await syncFolder(packFolder)
    await writeFile(join(gitDir, FULL_REPACK_MARK), '')
    await utimes(join(gitDir, FULL_REPACK_MARK), startedAt, startedAt)
    await writeCommitGraph(helper, gitDir, signal)
  }
}

async function writeCommitGraph(helper: GitHelper, gitDir: string, signal?: AbortSignal): Promise<void> {
  await git(helper, gitDir, ['commit-graph', 'write', '--reachable', '--no-progress'], { signal })
}

async function looseObjects(gitDir: string): Promise<{ path: string; writtenAt: number }[]> {
  const objects = join(gitDir, 'objects')
  const found: { path: string; writtenAt: number }[] = []
  for (const folder of await readdir(objects)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue
    for (const name of await readdir(join(objects, folder))) {
      if (!/^[0-9a-f]{38}$/.test(name)) continue
      const path = join(objects, folder, name)
      const known = await stat(path).catch(() => null)
      if (known !== null) found.push({ path, writtenAt: known.mtimeMs })
    }
  }
  return found
}

/** What tells a pack from another one of the same name: git names packs by their content. */
async function packsOf(packFolder: string): Promise<Map<string, string>> {
  const packs = new Map<string, string>()
  for (const name of await readdir(packFolder)) {
    if (!/^pack-[0-9a-f]{40}\.pack$/.test(name)) continue
    const { ino, mtimeMs } = await stat(join(packFolder, name))
    packs.set(name, `${ino} ${mtimeMs}`)
  }
  return packs
}

function packNames(output: Buffer): string[] {
  const hashes = output.toString().split('\n').filter(Boolean)
  return hashes.map((hash) => `pack-${hash}.pack`)
}

/**
 * What is packed anew is there twice for a while. A repack that cannot end would first take the last of the disk from
 * everybody who writes.
 */
async function makeRoom(gitDir: string): Promise<void> {
  await removeTemporaries(gitDir)
  const folder = join(gitDir, 'objects/pack')
  const files = await readdir(folder)
  const sizes = await Promise.all(
    files.map(async (name) => (await stat(join(folder, name)).catch(() => null))?.size ?? 0),
  )
  const neededBytes = sizes.reduce((sum, size) => sum + size, 0)
  const { bavail, bsize } = await statfs(folder)
  if (neededBytes > bavail * bsize)
    throw new Error(`Packing ${gitDir} needs up to ${neededBytes} bytes, and the disk has ${bavail * bsize}`)
}

/**
 * git leaves half a pack behind when it fails, and its locks when it is killed. Nothing but housekeeping, which does
 * one thing at a time, lets git write packs into a repository that is in use; so at the next one they are nobody's.
 */
async function removeLeftovers(gitDir: string): Promise<void> {
  const folder = join(gitDir, 'objects/pack')
  for (const lock of ['pack/multi-pack-index.lock', 'info/commit-graph.lock'])
    await rm(join(gitDir, 'objects', lock), { force: true })
  for (const name of await readdir(folder))
    if (/^(?:\.tmp-\d+-pack-|tmp_[a-z]+_[A-Za-z0-9]{6}$)/.test(name))
      await rm(join(folder, name), { force: true })
}

/** What an interrupted writer left. */
async function removeTemporaries(gitDir: string): Promise<void> {
  await removeLeftovers(gitDir)
  const oldest = Date.now() - GIT_TEMPORARY_FILE_MAX_AGE_MS
  const objects = join(gitDir, 'objects')
  const names = await readdir(objects)
  const folders = ['', 'pack', ...names.filter((name) => /^[0-9a-f]{2}$/.test(name))]
  for (const folder of folders)
    for (const name of folder === '' ? names : await readdir(join(objects, folder))) {
      if (!/^\.?tmp[_-]/.test(name)) continue
      const path = join(objects, folder, name)
      if (((await stat(path).catch(() => null))?.mtimeMs ?? Infinity) < oldest)
        await rm(path, { recursive: true, force: true })
    }
}

/** One thread, little memory, and only the time that nobody else wants. */
async function git(
  helper: GitHelper,
  gitDir: string,
  args: readonly string[],
  options: { names?: readonly string[]; signal?: AbortSignal | undefined } = {},
): Promise<Buffer> {
  const { names = [], signal } = options
  const settings = ['pack.threads=1', `pack.windowMemory=${GIT_REPACK_WINDOW_MAX_BYTES}`]
  try {
    return await helper.runGit({
      args: [...settings.flatMap((setting) => ['-c', setting]), ...args],
      gitDir,
      stdin: names.map((name) => `${name}\n`).join(''),
      timeoutMs: GIT_REPACK_TIMEOUT_MS,
      background: true,
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    await removeLeftovers(gitDir)
    throw error
  }
}
