/** The walk over what a push brings: every file that its new commits add or change, and with them every folder. */
import { isOid } from '@cairn/protocol/git/objects'
import { GIT_HEADERS_MAX, PATH_DEPTH_MAX, PATH_LENGTH_MAX_BYTES } from '@cairn/protocol/limits'

import { PackRefusedError } from './git-store.ts'
import { type GitCall, type GitProcess, GitProcessError } from './helper.ts'

export interface NewFile {
  path: Uint8Array
  /** Of its content; null for a submodule, whose commit is nobody's here. */
  oid: string | null
}

/**
 * Merges are compared with all their parents: what came from one of those, that one's commit has shown. So each object
 * that the refs do not reach yet is read by git itself or named here.
 */
export const WALK: Pick<GitCall, 'args' | 'env'> = {
  args: 'log --format= --raw --no-abbrev -z -r -c --root --no-renames --diff-filter=d --stdin'.split(' '),
  // Written as the buffer fills, and not commit by commit.
  env: { GIT_FLUSH: '0' },
}

const COLON = 0x3a
const OID_LENGTH = 40
const SUBMODULE = Buffer.from('160000')
/** A mode and an oid for a merge and each of its parents, with what stands between them. */
const LINE_MAX_BYTES = Math.max(PATH_LENGTH_MAX_BYTES, (GIT_HEADERS_MAX + 2) * 50)

/** Some hundred at a time, as git writes them. Throws PackRefusedError where something on the way is missing. */
export async function* readWalk(
  git: GitProcess,
  tips: readonly string[],
  known: readonly string[],
): AsyncGenerator<NewFile[]> {
  git.stream.end(revisions(tips, known))
  let isRead = false
  try {
    let facts: Buffer | null = null
    for await (const pieces of split(git.stream as AsyncIterable<Buffer>)) {
      const files: NewFile[] = []
      for (const piece of pieces) {
        if (facts !== null) {
          files.push({ path: piece, oid: contentIn(facts) })
          facts = null
        } else if (piece.length > 0) {
          facts = piece
        }
      }
      yield files
    }
    isRead = true
  } finally {
    if (!isRead) git.kill()
  }
  const { code, signal, stderr } = await git.exited
  if (code === 0) return
  const cause = new GitProcessError('exit', `git log ended with ${code ?? signal}: ${stderr}`, { stderr })
  // git goes down into folders by calling itself: its stack ends, or, since 2.45, it counts.
  const isTooDeep = signal === 'SIGSEGV' || /maximum allowed tree depth/.test(stderr)
  throw new PackRefusedError(
    isTooDeep
      ? `a path is deeper than ${PATH_DEPTH_MAX} folders`
      : 'the pack lacks objects that its commits need',
    { cause },
  )
}

/** gitformat-diff, raw: a colon, a mode and an oid for each parent; then a mode and an oid for what is there now. */
function contentIn(facts: Buffer): string | null {
  let parents = 0
  while (facts[parents] === COLON) parents += 1
  const modeAt = parents + 7 * parents
  const oidAt = modeAt + 7 + (OID_LENGTH + 1) * parents
  const oid = facts.toString('latin1', oidAt, oidAt + OID_LENGTH)
  if (parents === 0 || !isOid(oid)) throw new GitProcessError('output', 'git log wrote no raw difference')
  return facts.compare(SUBMODULE, 0, SUBMODULE.length, modeAt, modeAt + SUBMODULE.length) === 0 ? null : oid
}

/** What stands between NULs. */
async function* split(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const pieces: Buffer[] = []
    let at = 0
    for (let next = bytes.indexOf(0); next >= 0; next = bytes.indexOf(0, at)) {
      pieces.push(bytes.subarray(at, next))
      at = next + 1
    }
    rest = bytes.subarray(at)
    yield pieces
    if (rest.length > LINE_MAX_BYTES)
      throw new PackRefusedError(`a path is longer than ${PATH_LENGTH_MAX_BYTES} bytes`)
  }
}

function revisions(tips: readonly string[], known: readonly string[]): string {
  for (const oid of [...tips, ...known]) if (!isOid(oid)) throw new TypeError('Not an oid')
  return [...tips, ...known.map((oid) => `^${oid}`)].map((line) => `${line}\n`).join('')
}
