/**
 * Facts about many objects, and contents of small ones, a group at a time, through one `git cat-file` that answers a
 * whole group with few writes. The pool of cat-file.ts, which answers each request as soon as it can, needs four times
 * as long for the same. A group can be asked for before the one before is answered.
 */
import type { GitObjectType } from '@cairn/protocol/git/objects'

import { CAT_FILE_HEADER_MAX_BYTES } from '../limits.ts'
import { type GitCall, type GitHelper, type GitProcess, GitProcessError } from './helper.ts'

const ARGS = ['cat-file', '--batch-command', '--buffer']
const FACTS = /^([0-9a-f]{40}) (blob|tree|commit|tag) (\d{1,15})$/
const LINE_FEED = 0x0a

export interface ObjectFacts {
  oid: string
  type: GitObjectType
  sizeBytes: number
}

/** Takes one answer off the bytes from `at` on, or says that it has not come whole. */
type Take<T> = (bytes: Buffer, at: number) => { answer: T; end: number } | null

export class GroupReader implements AsyncDisposable {
  readonly #process: Promise<GitProcess>
  readonly #chunks: AsyncGenerator<Buffer>
  /** Has come and has not been read. */
  #rest: Buffer = Buffer.alloc(0)
  /** Answers come in the order of the questions. */
  #turn: Promise<unknown> = Promise.resolve()

  /** Starts git, which lives until the end of the reader or of the signal. */
  constructor(helper: GitHelper, call: Pick<GitCall, 'gitDir' | 'signal' | 'env'>) {
    this.#process = helper.spawnGit({ ...call, args: ARGS, resident: true })
    // Whoever reads nothing is not told, either.
    this.#process.catch(() => {})
    this.#chunks = chunksOf(this.#process)
  }

  /** What each name, an oid or `<oid>:<path>`, leads to; null for nothing. */
  async info(names: readonly string[]): Promise<(ObjectFacts | null)[]> {
    return this.#ask('info', names, takeFacts)
  }

  /**
   * Throws GitProcessError when an object is missing, or larger than `sizeMaxBytes`. The bytes are views of what git
   * wrote: keeping one keeps its neighbours.
   */
  async read(oids: readonly string[], sizeMaxBytes: number): Promise<Uint8Array[]> {
    return this.#ask('contents', oids, (bytes, at) => {
      const head = takeFacts(bytes, at)
      if (head === null) return null
      if (head.answer === null || head.answer.sizeBytes > sizeMaxBytes) throw unreadable()
      const end = head.end + head.answer.sizeBytes
      return end < bytes.length ? { answer: bytes.subarray(head.end, end), end: end + 1 } : null
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const git = await this.#process.catch(() => null)
    git?.stream.destroy()
    git?.kill()
  }

  async #ask<T>(command: string, names: readonly string[], take: Take<T>): Promise<T[]> {
    if (names.length === 0) return []
    const { stream } = await this.#process
    stream.write(`${names.map((name) => `${command} ${name}\n`).join('')}flush\n`)
    const answers = this.#turn.then(() => this.#take(names.length, take))
    this.#turn = answers
    this.#turn.catch(() => {})
    return answers
  }

  async #take<T>(count: number, take: Take<T>): Promise<T[]> {
    const answers: T[] = []
    for (let at = 0; ;) {
      const next = answers.length < count ? take(this.#rest, at) : null
      if (next !== null) {
        answers.push(next.answer)
        at = next.end
        continue
      }
      this.#rest = this.#rest.subarray(at)
      at = 0
      if (answers.length === count) return answers
      const chunk = await this.#chunks.next()
      if (chunk.done === true) throw unreadable()
      this.#rest = this.#rest.length === 0 ? chunk.value : Buffer.concat([this.#rest, chunk.value])
    }
  }
}

async function* chunksOf(process: Promise<GitProcess>): AsyncGenerator<Buffer> {
  yield* (await process).stream as AsyncIterable<Buffer>
}

function takeFacts(bytes: Buffer, at: number): { answer: ObjectFacts | null; end: number } | null {
  const lineEnd = bytes.indexOf(LINE_FEED, at)
  if (lineEnd < 0 && bytes.length - at <= CAT_FILE_HEADER_MAX_BYTES) return null
  const line = bytes.toString('latin1', at, lineEnd < 0 ? at : lineEnd)
  const end = lineEnd + 1
  if (line.endsWith(' missing')) return { answer: null, end }
  const match = FACTS.exec(line)
  if (match === null) throw unreadable()
  const [, oid = '', type, size] = match
  return { answer: { oid, type: type as GitObjectType, sizeBytes: Number(size) }, end }
}

function unreadable(): GitProcessError {
  return new GitProcessError('output', 'git cat-file did not give all objects that were asked for')
}
