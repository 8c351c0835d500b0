/**
 * Reads objects through resident `git cat-file --batch-command` processes, one a repository, kept as an LRU.
 * Requests are pipelined. A process that fails is replaced, and what it still owed is asked again once.
 */
import type { GitObjectType } from '@cairn/protocol/git/objects'

import {
  CAT_FILE_HEADER_MAX_BYTES,
  CAT_FILE_IDLE_MS,
  CAT_FILE_PIPELINE_MAX,
  CAT_FILE_PROCESSES_MAX,
  CAT_FILE_STALL_MS,
} from '../limits.ts'
import { CatFileParser } from './cat-file-parser.ts'
import { type GitHelper, type GitProcess, GitProcessError } from './helper.ts'

const ATTEMPTS_MAX = 2
const ARGS = ['-c', 'core.bigFileThreshold=8m', 'cat-file', '--batch-command']

export interface CatFileAnswer {
  type: GitObjectType
  sizeBytes: number
  /** Absent when only asked about, or when the object is larger than was asked for. */
  bytes?: Uint8Array
}

interface Request {
  /** `contents` or `info`, and an oid: 40 hex digits, checked by the caller. */
  line: string
  sizeMaxBytes: number
  attempts: number
  resolve(answer: CatFileAnswer | null): void
  reject(error: Error): void
}

export class CatFilePool implements AsyncDisposable {
  readonly #helper: GitHelper
  readonly #byRepository = new Map<string, Reader>()

  constructor(helper: GitHelper) {
    this.#helper = helper
  }

  /** Null when there is no such object; without `bytes` when it is larger than `sizeMaxBytes`. */
  async contents(gitDir: string, oid: string, sizeMaxBytes: number): Promise<CatFileAnswer | null> {
    return this.#ask(gitDir, `contents ${oid}\n`, sizeMaxBytes)
  }

  async info(gitDir: string, oid: string): Promise<CatFileAnswer | null> {
    return this.#ask(gitDir, `info ${oid}\n`, 0)
  }

  /** Lets the repository's process finish and go: after a repack, or before its removal. */
  forget(gitDir: string): void {
    this.#byRepository.get(gitDir)?.retire()
    this.#byRepository.delete(gitDir)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gitDir of this.#byRepository.keys()) this.forget(gitDir)
  }

  async #ask(gitDir: string, line: string, sizeMaxBytes: number): Promise<CatFileAnswer | null> {
    return new Promise((resolve, reject) => {
      this.#reader(gitDir).add({ line, sizeMaxBytes, attempts: 0, resolve, reject })
    })
  }

  #reader(gitDir: string): Reader {
    let reader = this.#byRepository.get(gitDir)
    // Set anew: a Map remembers the order of insertion, so the first one is the longest unused.
    if (reader === undefined) {
      reader = new Reader(this.#helper, gitDir, (failed, owed) => {
        if (this.#byRepository.get(gitDir) === failed) this.#byRepository.delete(gitDir)
        for (const request of owed) this.#reader(gitDir).add(request)
      })
    } else {
      this.#byRepository.delete(gitDir)
    }
    this.#byRepository.set(gitDir, reader)
    if (this.#byRepository.size > CAT_FILE_PROCESSES_MAX) this.forget(this.#byRepository.keys().next().value!)
    return reader
  }
}

/** One process and the requests it owes answers to, in order. */
class Reader {
  readonly #onGone: (self: Reader, owed: Request[]) => void
  readonly #parser: CatFileParser
  readonly #waiting: Request[] = []
  readonly #sent: Request[] = []
  readonly #timer: NodeJS.Timeout
  #process: GitProcess | null = null
  #lastHeardAt = performance.now()
  #state: 'open' | 'retiring' | 'gone' = 'open'

  constructor(helper: GitHelper, gitDir: string, onGone: (self: Reader, owed: Request[]) => void) {
    this.#onGone = onGone
    this.#parser = new CatFileParser(CAT_FILE_HEADER_MAX_BYTES, {
      limitOf: () => this.#sent[0]?.sizeMaxBytes ?? 0,
      isWithBytes: () => this.#sent[0]?.line.startsWith('c') ?? false,
      onAnswer: (answer) => this.#settle(answer),
      // The bytes are already on their way, and dropping the process is cheaper than reading them.
      onTooLarge: (answer) => {
        this.#settle(answer)
        this.#drop(null)
      },
    })
    this.#timer = setInterval(() => this.#tick(), Math.min(CAT_FILE_IDLE_MS, CAT_FILE_STALL_MS) / 2).unref()
    helper.spawnGit({ args: ARGS, gitDir, resident: true }).then(
      (process) => this.#open(process),
      (error: Error) => this.#drop(error),
    )
  }

  add(request: Request): void {
    if (this.#state === 'gone' || request.attempts >= ATTEMPTS_MAX) {
      request.reject(new GitProcessError('exit', 'git cat-file ended before it answered'))
      return
    }
    request.attempts += 1
    this.#waiting.push(request)
    this.#pump()
  }

  /** Answers what was asked so far and ends. */
  retire(): void {
    if (this.#state !== 'open') return
    this.#state = 'retiring'
    this.#endWhenDone()
  }

  #open(process: GitProcess): void {
    this.#process = process
    this.#lastHeardAt = performance.now()
    if (this.#state === 'gone') {
      process.kill()
      return
    }
    process.stream.on('data', (chunk: Buffer) => {
      if (this.#state === 'gone') return
      this.#lastHeardAt = performance.now()
      try {
        this.#parser.push(chunk)
      } catch (error) {
        this.#drop(error as Error)
      }
      this.#pump()
    })
    process.exited.then(
      ({ stderr, code }) =>
        this.#drop(
          new GitProcessError('exit', `git cat-file ended with ${code}: ${stderr.trim()}`, { stderr }),
        ),
      (error: Error) => this.#drop(error),
    )
    this.#pump()
    this.#endWhenDone()
  }

  #pump(): void {
    if (this.#process === null || this.#state === 'gone') return
    let lines = ''
    while (this.#waiting.length > 0 && this.#sent.length < CAT_FILE_PIPELINE_MAX) {
      const request = this.#waiting.shift()!
      this.#sent.push(request)
      lines += request.line
    }
    if (lines !== '') this.#process.stream.write(lines)
  }

  #settle(answer: CatFileAnswer | null): void {
    this.#sent.shift()?.resolve(answer)
    this.#endWhenDone()
  }

  #endWhenDone(): void {
    if (this.#state !== 'retiring' || this.#process === null) return
    if (this.#sent.length === 0 && this.#waiting.length === 0) {
      this.#process.stream.end()
      this.#close()
    }
  }

  #tick(): void {
    const silentMs = performance.now() - this.#lastHeardAt
    const isOwing = this.#sent.length + this.#waiting.length > 0
    if (isOwing && silentMs > CAT_FILE_STALL_MS)
      this.#drop(new GitProcessError('timeout', 'git cat-file fell silent'))
    else if (!isOwing && silentMs > CAT_FILE_IDLE_MS) this.#drop(null)
  }

  /** Ends the process now. What it owes is asked of its successor; after a second failure the cause is told. */
  #drop(cause: Error | null): void {
    if (this.#state === 'gone') return
    this.#close()
    this.#process?.kill()
    this.#process?.stream.destroy()
    const owed = [...this.#sent.splice(0), ...this.#waiting.splice(0)]
    // A process that was dropped for the sake of another request does not count against these.
    if (cause === null) for (const request of owed) request.attempts -= 1
    const again = owed.filter((request) => request.attempts < ATTEMPTS_MAX)
    for (const request of owed) if (request.attempts >= ATTEMPTS_MAX) request.reject(cause!)
    this.#onGone(this, again)
  }

  #close(): void {
    this.#state = 'gone'
    clearInterval(this.#timer)
  }
}
