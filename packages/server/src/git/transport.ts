/**
 * git's own `upload-pack` for clients over HTTP. Its stdin and stdout are a socket of ours, so that a pack passes
 * through one process only; when the reader stops reading, git stops writing.
 */
import { HubError } from '@cairn/protocol/errors'

import {
  FETCH_STALL_MS,
  FETCH_THROUGHPUT_MIN_BYTES_PER_S,
  GIT_FETCHES_MAX,
  GIT_FETCHES_WAITING_MAX,
} from '../limits.ts'
import { busy } from './busy.ts'
import { type GitHelper, type GitProcess, GitProcessError } from './helper.ts'
import { Slots, type SlotsLoad } from './slots.ts'

export interface FetchCall {
  version: 0 | 1 | 2
  /** What the client sent; null asks for the first answer, which names refs (versions 0 and 1) or capabilities. */
  request: Uint8Array | null
  /** Prefixes of refs that are not told, beside those that never are. */
  hide: readonly string[]
  /** Who asks. */
  client: string
  /** Ends git at once. */
  signal: AbortSignal
}

/** A filter that git reads from any file of the repository would tell what stands in those that nobody may have. */
const FILTERS = ['-c', 'uploadpackfilter.sparse:oid.allow=false']

export class FetchServer {
  readonly #helper: GitHelper
  readonly #slots = new Slots(GIT_FETCHES_MAX, GIT_FETCHES_WAITING_MAX)

  constructor(helper: GitHelper) {
    this.#helper = helper
  }

  get slots(): SlotsLoad {
    return this.#slots.load
  }

  /** Resolves with the first bytes; a git that ends without any rejects. Leaving the iteration early ends git. */
  async serve(gitDir: string, call: FetchCall): Promise<AsyncIterable<Uint8Array>> {
    const release = await this.#slots.take(call.signal, call.client)
    if (release === null) throw busy()
    const hidden = call.hide.flatMap((prefix) => ['-c', `transfer.hideRefs=${prefix}`])
    const form = call.request === null ? ['--http-backend-info-refs'] : []
    let chunks: AsyncGenerator<Uint8Array>
    try {
      const git = await this.#helper.spawnGit({
        args: [...FILTERS, ...hidden, 'upload-pack', '--strict', '--stateless-rpc', ...form, gitDir],
        gitDir,
        env: call.version === 0 ? {} : { GIT_PROTOCOL: `version=${call.version}` },
        signal: call.signal,
        // It lasts as long as the client takes; the slots above bound how many there are.
        resident: true,
      })
      git.exited.then(release, release)
      git.stream.end(call.request ?? undefined)
      chunks = answer(git)
    } catch (error) {
      release()
      throw error
    }
    const first = await chunks.next()
    return resume(first, chunks)
  }
}

/** What git writes. A reader who takes too little while git could give more ends git, wherever it has got to. */
export async function* answer(
  git: GitProcess,
  { stallMs = FETCH_STALL_MS, minBytesPerS = FETCH_THROUGHPUT_MIN_BYTES_PER_S } = {},
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0
  // Waiting uses up time, what is taken earns some.
  let leftMs = stallMs
  let isTooSlow = false
  let broken: unknown = null
  let isRead = false
  try {
    for await (const chunk of git.stream as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      leftMs = Math.min(stallMs, leftMs + (chunk.length / minBytesPerS) * 1000)
      const since = performance.now()
      const timer = setTimeout(() => {
        isTooSlow = true
        git.kill()
      }, leftMs)
      try {
        yield chunk
      } finally {
        clearTimeout(timer)
      }
      leftMs -= performance.now() - since
    }
    isRead = true
  } catch (error) {
    // A git that ends before it has read its stdin breaks the connection; then its exit says more.
    broken = error
  } finally {
    if (!isRead) git.kill()
  }
  if (isTooSlow) throw new HubError('RequestTimeout', 'The answer is taken too slowly')
  const { code, signal, stderr } = await git.exited
  // Having said something, git has said what was wrong, too; unless it was killed in the middle.
  if (signal !== null || (code !== 0 && sizeBytes === 0) || (broken !== null && code === 0))
    throw new GitProcessError('exit', `git upload-pack ended with ${code ?? signal}: ${stderr.trim()}`, {
      stderr,
      cause: broken,
    })
}

async function* resume<T>(first: IteratorResult<T, void>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}
