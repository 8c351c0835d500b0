/**
 * How bare repositories lie on disk:
 *
 *   <root>/<ab>/<id>.git         ab = the last two characters of the id in lower case
 *   <root>/incoming/<random>.git what a push brings, until it is accepted; emptied at start
 *   <root>/discarded/            half-made and removed ones, emptied at start
 */
import { randomBytes } from 'node:crypto'
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { makeFolder, syncFolder } from './durable.ts'

const REPO_ID = /^[A-Za-z0-9_-]{2,64}$/

/** No gc behind our back; clones may filter. What may be fetched is decided before git is asked (ops/fetch.ts). */
const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
\thooksPath = /dev/null
\tfsync = committed,derived-metadata,reference
[gc]
\tauto = 0
[maintenance]
\tauto = false
[receive]
\tautogc = false
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[transfer]
\thideRefs = refs/cairn
`

export function gitDirOf(root: string, repoId: string): string {
  if (!REPO_ID.test(repoId)) throw new TypeError('Not a repository id')
  return join(root, repoId.slice(-2).toLowerCase(), `${repoId}.git`)
}

/** Makes an empty repository whose HEAD is the unborn branch main. Visible all at once; idempotent. */
export async function createBareRepository(root: string, gitDir: string): Promise<void> {
  if (await exists(gitDir)) return
  const draft = await newDiscarded(root)
  for (const folder of ['objects/pack', 'objects/info', 'refs/heads', 'refs/tags'])
    await mkdir(join(draft, folder), { recursive: true })
  await writeFile(join(draft, 'HEAD'), 'ref: refs/heads/main\n', { flush: true })
  await writeFile(join(draft, 'config'), CONFIG, { flush: true })
  for (const folder of ['objects/pack', 'objects/info', 'objects', 'refs/heads', 'refs/tags', 'refs', ''])
    await syncFolder(join(draft, folder))
  await makeFolder(dirname(gitDir))
  try {
    await rename(draft, gitDir)
  } catch (error) {
    // Somebody else made it meanwhile.
    if (!(await exists(gitDir))) throw error
    await rm(draft, { recursive: true, force: true })
  }
  await syncFolder(dirname(gitDir))
}

export async function removeBareRepository(root: string, gitDir: string): Promise<void> {
  const discarded = await newDiscarded(root)
  try {
    await rename(gitDir, discarded)
    await syncFolder(dirname(gitDir))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await rm(discarded, { recursive: true, force: true })
}

/**
 * Makes a repository for what a push brings, which borrows the objects of the one that is pushed to. Nothing in it
 * need survive a crash.
 */
export async function createIncoming(root: string, targetDir: string): Promise<string> {
  const gitDir = join(root, 'incoming', `${randomBytes(16).toString('hex')}.git`)
  try {
    for (const folder of ['objects/pack', 'objects/info', 'refs'])
      await mkdir(join(gitDir, folder), { recursive: true })
    await writeFile(join(gitDir, 'HEAD'), 'ref: refs/heads/main\n')
    await writeFile(join(gitDir, 'config'), CONFIG)
    await writeFile(join(gitDir, 'objects/info/alternates'), `${join(targetDir, 'objects')}\n`)
  } catch (error) {
    await rm(gitDir, { recursive: true, force: true })
    throw error
  }
  return gitDir
}

/** Makes the root's own folders and takes away what a crash left in the middle: one process has the directory. */
export async function prepareRoot(root: string): Promise<void> {
  for (const folder of ['discarded', 'incoming'].map((name) => join(root, name))) {
    await mkdir(folder, { recursive: true })
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Takes away the locks of refs that a killed process left; git itself never does, and no ref under one can move again.
 * Only while nothing else writes refs of the repository.
 */
export async function removeRefLocks(gitDir: string): Promise<void> {
  const below = await readdir(join(gitDir, 'refs'), { recursive: true })
  const locks = below.filter((name) => name.endsWith('.lock')).map((name) => join('refs', name))
  for (const name of [...locks, 'HEAD.lock', 'packed-refs.lock'])
    await rm(join(gitDir, name), { force: true })
}

async function newDiscarded(root: string): Promise<string> {
  const folder = join(root, 'discarded', randomBytes(8).toString('hex'))
  await mkdir(folder)
  return folder
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
