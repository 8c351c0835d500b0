/** Walks over what a push brings: every object that the refs do not reach yet, and every path that it touches. */
import { isOid } from '@cairn/protocol/git/objects'
import { PATH_LENGTH_MAX_BYTES } from '@cairn/protocol/limits'

import { PackRefusedError } from './git-store.ts'
import { type GitHelper, type GitProcess, GitProcessError } from './helper.ts'

export interface NewObjectFacts {
  oid: string
  type: 'commit' | 'tree' | 'blob' | 'tag'
  sizeBytes: number
  /** One of its paths, as bytes; empty where it has none. */
  path: Uint8Array
}

/** An oid, a type and a size come before the path. */
const LINE_MAX_BYTES = PATH_LENGTH_MAX_BYTES + 128

/**
 * `rev-list` walks and finds that nothing is missing, `cat-file` adds types and sizes. One's output is the other's
 * input; it passes through unread. Comes as git writes it, some hundred at a time.
 */
export async function* listNewObjects(
  helper: GitHelper,
  gitDir: string,
  tips: readonly string[],
  known: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<NewObjectFacts[]> {
  // A slot for each push bounds how many of these there are.
  const call = { gitDir, signal, resident: true }
  const format = '--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)'
  const [walk, facts] = await Promise.all([
    helper.spawnGit({ ...call, args: ['rev-list', '--objects', '--stdin'] }),
    helper.spawnGit({ ...call, args: ['cat-file', '--buffer', format] }),
  ])
  walk.stream.end(revisions(tips, known))
  walk.stream.pipe(facts.stream)
  // A walk that breaks off ends the other one; its exit is looked at below.
  walk.stream.once('error', () => facts.stream.end())
  let isRead = false
  try {
    for await (const lines of split(facts.stream as AsyncIterable<Buffer>, 0x0a)) yield lines.map(parseFacts)
    isRead = true
  } finally {
    if (!isRead) for (const git of [walk, facts]) git.kill()
  }
  await assertEnded(walk, 'rev-list', 'the pack lacks objects that its commits need')
  await assertEnded(facts, 'cat-file', 'the pack cannot be read')
}

/** Merges are compared with all their parents: what came from one of those, that one's commit has shown. */
export async function* listNewPaths(
  helper: GitHelper,
  gitDir: string,
  tips: readonly string[],
  known: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array[]> {
  const shown = ['--format=', '--name-only', '-z', '-r', '-c', '--root', '--no-renames', '--diff-filter=d']
  const args = ['log', ...shown, '--stdin']
  const git = await helper.spawnGit({ args, gitDir, signal, resident: true })
  git.stream.end(revisions(tips, known))
  let isRead = false
  try {
    for await (const paths of split(git.stream as AsyncIterable<Buffer>, 0))
      yield paths.filter((path) => path.length > 0)
    isRead = true
  } finally {
    if (!isRead) git.kill()
  }
  await assertEnded(git, 'log', 'the folders of a commit cannot be read')
}

function parseFacts(line: Buffer): NewObjectFacts {
  const match = /^([0-9a-f]{40}) (commit|tree|blob|tag) (\d+) /.exec(line.toString('latin1', 0, 100))
  if (match === null) throw new PackRefusedError('the pack lacks objects that its commits need')
  const [head, oid = '', type, size] = match
  return {
    oid,
    type: type as NewObjectFacts['type'],
    sizeBytes: Number(size),
    path: line.subarray(head.length),
  }
}

/** Lines, or what stands between NULs. Nothing that git prints here is longer than a path and a little. */
async function* split(chunks: AsyncIterable<Buffer>, end: number): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const pieces: Buffer[] = []
    let at = 0
    for (let next = bytes.indexOf(end); next >= 0; next = bytes.indexOf(end, at)) {
      pieces.push(bytes.subarray(at, next))
      at = next + 1
    }
    rest = bytes.subarray(at)
    yield pieces
    if (rest.length > LINE_MAX_BYTES)
      throw new PackRefusedError(`a path is longer than ${PATH_LENGTH_MAX_BYTES} bytes`)
  }
}

async function assertEnded(git: GitProcess, command: string, refusal: string): Promise<void> {
  const { code, signal, stderr } = await git.exited
  if (code === 0) return
  const cause = new GitProcessError('exit', `git ${command} ended with ${code ?? signal}: ${stderr}`, {
    stderr,
  })
  throw new PackRefusedError(refusal, { cause })
}

function revisions(tips: readonly string[], known: readonly string[]): string {
  for (const oid of [...tips, ...known]) if (!isOid(oid)) throw new TypeError('Not an oid')
  return [...tips, ...known.map((oid) => `^${oid}`)].map((line) => `${line}\n`).join('')
}
