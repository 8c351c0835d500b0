/**
 * Contents of many small objects, a group at a time, through one `git cat-file` that answers a whole group with few
 * writes. The pool of cat-file.ts, which answers each request as soon as it can, needs four times as long for the same.
 */
import { CAT_FILE_HEADER_MAX_BYTES } from '../limits.ts'
import { CatFileParser } from './cat-file-parser.ts'
import { type GitCall, type GitHelper, type GitProcess, GitProcessError } from './helper.ts'

const ARGS = ['cat-file', '--batch-command', '--buffer']

export class GroupReader implements AsyncDisposable {
  readonly #process: Promise<GitProcess>
  readonly #chunks: AsyncGenerator<Buffer>

  /** Starts git, which lives until the end of the reader or of the signal. */
  constructor(helper: GitHelper, call: Pick<GitCall, 'gitDir' | 'signal' | 'env'>) {
    this.#process = helper.spawnGit({ ...call, args: ARGS, resident: true })
    // Whoever reads nothing is not told, either.
    this.#process.catch(() => {})
    this.#chunks = chunksOf(this.#process)
  }

  /** One group at a time. Throws GitProcessError when an object is missing, or larger than `sizeMaxBytes`. */
  async read(oids: readonly string[], sizeMaxBytes: number): Promise<Uint8Array[]> {
    if (oids.length === 0) return []
    const found: Uint8Array[] = []
    const parser = new CatFileParser(CAT_FILE_HEADER_MAX_BYTES, {
      limitOf: () => sizeMaxBytes,
      isWithBytes: () => true,
      onAnswer(answer) {
        if (answer?.bytes === undefined) throw unreadable()
        found.push(answer.bytes)
      },
      onTooLarge() {
        throw unreadable()
      },
    })
    const { stream } = await this.#process
    stream.write(`${oids.map((oid) => `contents ${oid}\n`).join('')}flush\n`)
    while (found.length < oids.length) {
      const next = await this.#chunks.next()
      if (next.done === true) throw unreadable()
      parser.push(next.value)
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const git = await this.#process.catch(() => null)
    git?.stream.destroy()
    git?.kill()
  }
}

async function* chunksOf(process: Promise<GitProcess>): AsyncGenerator<Buffer> {
  yield* (await process).stream as AsyncIterable<Buffer>
}

function unreadable(): GitProcessError {
  return new GitProcessError('output', 'git cat-file did not give all objects that were asked for')
}
