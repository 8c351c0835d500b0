/** For tests: a store in a temporary folder, a new repository for each test, and real git to judge. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { encodeCommit, type Identity } from '@cairn/protocol/git/commits'
import { type NewObject, newObject, parseTree } from '@cairn/protocol/git/objects'
import { planTree, type TreeEdit } from '@cairn/protocol/git/plan-tree'

import { nativePrimitives as primitives } from '../primitives.ts'
import { type BareGitStore, openGitStore } from './store.ts'

export let root: string
export let store: BareGitStore
export let repo: string
let repositories = 0

export async function openScratch(): Promise<void> {
  root = await mkdtemp(join(tmpdir(), 'git-store-'))
  store = await openGitStore({ root, primitives })
}

export async function closeScratch(): Promise<void> {
  await store[Symbol.asyncDispose]()
  await rm(root, { recursive: true })
}

export async function nextRepository(): Promise<void> {
  repo = `repo${String(++repositories).padStart(3, '0')}`
  await store.create(repo)
}

/** Real git, to judge. */
export function git(...args: string[]): string {
  return gitWith('', ...args)
}
export function gitWith(input: string | Buffer, ...args: string[]): string {
  return execFileSync('git', ['--git-dir', store.gitDir(repo), ...args], {
    input,
    maxBuffer: 1 << 28,
  }).toString()
}

export const blob = (text: string | Uint8Array): NewObject =>
  newObject(primitives, 'blob', typeof text === 'string' ? new TextEncoder().encode(text) : text)
export const who: Omit<Identity, 'seconds'> = {
  name: 'Ana <x>\n',
  email: 'ana@example.com',
  timezone: '+0100',
}

/** A commit as an operation would make it: blobs, trees, commit, written at once. */
export async function commit(
  parents: string[],
  files: Record<string, string | null>,
  seconds = 1_700_000_000,
  message = 'change',
): Promise<string> {
  const objects: NewObject[] = []
  const edits = new Map<string, TreeEdit>()
  for (const [path, text] of Object.entries(files)) {
    if (text === null) edits.set(path, null)
    else {
      const object = blob(text)
      objects.push(object)
      edits.set(path, { oid: object.oid, mode: '100644' })
    }
  }
  const readTree = async (oid: string) => parseTree((await store.read(repo, oid)).bytes)
  const rootTreeOid = parents[0] === undefined ? null : git('rev-parse', `${parents[0]}^{tree}`).trim()
  const plan = await planTree({ rootTreeOid, edits, readTree, primitives })
  const author = { ...who, seconds }
  const made = newObject(
    primitives,
    'commit',
    encodeCommit({ treeOid: plan.rootOid, parents, author, committer: author, message }),
  )
  await store.write(repo, [...objects, ...plan.newTrees, made])
  return made.oid
}
