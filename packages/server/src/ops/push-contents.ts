/**
 * What a push may bring into a repository: what a commit over HTTP could have brought. Every commit between the refs
 * and the new tips is held to it, not only the last one, since every one can be read afterwards.
 */
import { HubError } from '@cairn/protocol/errors'
import { parseTag } from '@cairn/protocol/git/commits'
import { decodeName } from '@cairn/protocol/git/names'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import type { RefCommand } from '@cairn/protocol/git/receive-request'
import { type LfsPointer, parsePointer } from '@cairn/protocol/lfs/pointer'
import { LFS_POINTER_MAX_BYTES, REGULAR_FILE_MAX_BYTES } from '@cairn/protocol/limits'
import { printable } from '@cairn/protocol/repo-id'

import { PackRefusedError } from '../git/git-store.ts'
import type { NewFile } from '../git/incoming-walk.ts'
import type { Incoming } from '../git/incoming.ts'
import {
  GIT_OBJECT_READ_MAX_BYTES,
  METADATA_FILE_MAX_BYTES,
  PUSH_GROUPS_AHEAD,
  PUSH_OBJECTS_AT_ONCE,
  PUSH_PROBLEMS_NAMED_MAX,
  TAG_DEPTH_MAX,
} from '../limits.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { reviewCard } from './documents.ts'
import { decodeText } from './trees.ts'

/** The contents are refused as a whole. `lines` are printed by the client, one by one. */
export class ContentsRefusedError extends Error {
  readonly lines: readonly string[]

  constructor(reason: string, lines: readonly string[]) {
    super(reason)
    this.name = 'ContentsRefusedError'
    this.lines = lines
  }
}

/** No pointer of any version is shorter. */
const POINTER_MIN_BYTES = 100
const MIB = 1024 * 1024

interface Pushed {
  ctx: OpsContext
  repo: RepoRow
  incoming: Incoming
  tips: readonly string[]
  known: readonly string[]
}

/** Throws ContentsRefusedError or PackRefusedError; returns the sha256 of every LFS object that new pointers name. */
export async function assertContents(pushed: Pushed): Promise<string[]> {
  const findings = new Findings(pushed)
  const looks: Promise<void>[] = []
  const look = (): void => {
    const looking = findings.look()
    looking.catch(() => {})
    looks.push(looking)
  }
  // git goes on to the next groups while one is looked at.
  for await (const files of pushed.incoming.newFiles(pushed.tips, pushed.known)) {
    findings.add(files)
    if (findings.pendingCount < PUSH_OBJECTS_AT_ONCE) continue
    look()
    if (looks.length >= PUSH_GROUPS_AHEAD) await looks.shift()
  }
  look()
  await Promise.all(looks)
  return findings.pointersUnlessRefused()
}

/** What is wrong with new files. Paths are looked at as they come, contents a group at a time. */
class Findings {
  readonly #pushed: Pushed
  readonly #pointers = new Set<string>()
  readonly #large: string[] = []
  readonly #wrong: string[] = []
  readonly #paths = new Set<string>()
  /** Oid → one of its paths, of those whose contents have not been looked at. */
  #pending = new Map<string, Uint8Array>()

  constructor(pushed: Pushed) {
    this.#pushed = pushed
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  add(files: readonly NewFile[]): void {
    for (const { path, oid } of files) {
      if (oid !== null) this.#pending.set(oid, path)
      try {
        assertRepoPath(decodeName(path))
      } catch (error) {
        if (!(error instanceof HubError)) throw error
        note(this.#paths, `  ${error.message}`)
      }
    }
  }

  async look(): Promise<void> {
    const { ctx, repo, incoming } = this.#pushed
    const pending = this.#pending
    this.#pending = new Map()
    const small: string[] = []
    const facts = await incoming.objects.info([...pending.keys()])
    for (const blob of facts) {
      if (blob?.type !== 'blob') throw new PackRefusedError('the pack lacks objects that its commits need')
      const { oid, sizeBytes } = blob
      if (sizeBytes > REGULAR_FILE_MAX_BYTES && this.#large.length < PUSH_PROBLEMS_NAMED_MAX)
        this.#large.push(`  ${shown(pending.get(oid)!)} (${(sizeBytes / MIB).toFixed(1)} MiB)`)
      if (sizeBytes >= POINTER_MIN_BYTES && sizeBytes < LFS_POINTER_MAX_BYTES) small.push(oid)
    }
    const contents = await incoming.objects.read(small, LFS_POINTER_MAX_BYTES)
    const found = contents.flatMap((bytes, index): [string, LfsPointer][] => {
      const pointer = parsePointer(bytes)
      return pointer === null ? [] : [[small[index]!, pointer]]
    })
    if (found.length === 0) return
    const oids = found.map(([, { oid }]) => oid)
    for (const oid of oids) this.#pointers.add(oid)
    const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, oids)
    for (const [blobOid, pointer] of found) {
      const problem = pointerProblem(pointer, stored.get(pointer.oid))
      if (problem !== null && this.#wrong.length < PUSH_PROBLEMS_NAMED_MAX)
        this.#wrong.push(`  ${shown(pending.get(blobOid)!)}: ${problem}`)
    }
  }

  pointersUnlessRefused(): string[] {
    if (this.#large.length > 0) throw tooLarge(this.#large)
    if (this.#wrong.length > 0)
      throw new ContentsRefusedError('LFS objects are missing', [
        'These files point to LFS objects that this repository does not have as they say:',
        ...this.#wrong,
        'Upload them first: git lfs push --all origin',
      ])
    if (this.#paths.size > 0) throw new ContentsRefusedError('paths are not allowed', [...this.#paths])
    return [...this.#pointers]
  }
}

function note(problems: Set<string>, problem: string): void {
  if (problems.size < PUSH_PROBLEMS_NAMED_MAX) problems.add(problem)
}

function tooLarge(large: readonly string[]): ContentsRefusedError {
  const name = large[0]!.trim().replace(/ \([\d.]+ MiB\)$/, '')
  const pattern = /\.[^./]+$/.exec(name)?.[0]
  return new ContentsRefusedError('files are too large for git', [
    `Files larger than ${REGULAR_FILE_MAX_BYTES / MIB} MiB belong into Git LFS, in every commit that is pushed:`,
    ...large,
    'For commits that you are about to make:',
    `  git lfs install && git lfs track ${JSON.stringify(pattern === undefined ? name : `*${pattern}`)}`,
    'For commits that you have made already:',
    `  git lfs migrate import --everything --above=${REGULAR_FILE_MAX_BYTES / MIB}MiB`,
  ])
}

function pointerProblem({ oid, sizeBytes }: LfsPointer, stored: StoredContent | undefined): string | null {
  if (stored === undefined) return `${oid} was not uploaded`
  return stored.sizeBytes === sizeBytes ? null : `${oid} has ${stored.sizeBytes} bytes, not ${sizeBytes}`
}

/** The commits that refs will lead to, by what they will point at; null for what leads to no commit. */
export async function peelTips(
  incoming: Incoming,
  tips: readonly string[],
): Promise<Map<string, string | null>> {
  const peeled = new Map<string, string | null>()
  for (let at = 0; at < tips.length; at += PUSH_OBJECTS_AT_ONCE) {
    /** What has not led to a commit yet, by where it has led so far. */
    let open = tips.slice(at, at + PUSH_OBJECTS_AT_ONCE).map((tip) => ({ tip, oid: tip }))
    for (let depth = 0; depth < TAG_DEPTH_MAX && open.length > 0; depth += 1) {
      const facts = await incoming.objects.info(open.map(({ oid }) => oid))
      for (const [index, { tip, oid }] of open.entries())
        peeled.set(tip, facts[index]?.type === 'commit' ? oid : null)
      const tags = open.filter((_, index) => facts[index]?.type === 'tag')
      const contents = await incoming.objects.read(
        tags.map(({ oid }) => oid),
        GIT_OBJECT_READ_MAX_BYTES,
      )
      open = tags.map(({ tip }, index) => ({ tip, oid: parseTag(contents[index]!).targetOid }))
    }
  }
  return peeled
}

/** The cards of branches' new heads, where the push changes them. Throws ContentsRefusedError. */
export async function assertCards(
  { documents }: Pick<OpsContext, 'documents'>,
  repo: RepoRow,
  { objects }: Incoming,
  commands: readonly RefCommand[],
): Promise<void> {
  const branches = commands.filter(({ name, next }) => next !== null && /^refs\/(heads|pr)\//.test(name))
  for (let at = 0; at < branches.length; at += PUSH_OBJECTS_AT_ONCE) {
    const some = branches.slice(at, at + PUSH_OBJECTS_AT_ONCE)
    const cards = async (of: 'old' | 'next') =>
      objects.info(some.map((command) => `${command[of] ?? command.next!}:README.md`))
    const before = await cards('old')
    const now = await cards('next')
    for (const [index, { name, old }] of some.entries()) {
      const card = now[index]
      if (card?.type !== 'blob' || card.sizeBytes > METADATA_FILE_MAX_BYTES) continue
      if (old !== null && card.oid === before[index]?.oid) continue
      const [bytes] = await objects.read([card.oid], METADATA_FILE_MAX_BYTES)
      await assertCard(documents, repo, name, decodeText(bytes!))
    }
  }
}

async function assertCard(
  documents: OpsContext['documents'],
  repo: RepoRow,
  refName: string,
  text: string | null,
): Promise<void> {
  // Not text: there is no card in it.
  if (text === null) return
  const { errors } = await reviewCard({ documents }, text, repo.type)
  if (errors.length === 0) return
  throw new ContentsRefusedError('the metadata of README.md is not valid', [
    `The metadata at the top of README.md is not valid (${printable(refName)}):`,
    ...errors.slice(0, PUSH_PROBLEMS_NAMED_MAX).map(({ message }) => `  ${message}`),
  ])
}

function shown(path: Uint8Array): string {
  return printable(decodeName(path))
}
