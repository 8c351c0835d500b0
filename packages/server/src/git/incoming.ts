/**
 * What a push brings, kept apart until it is accepted: a repository of its own that borrows the objects of the one
 * that is pushed to. Reading it sees both together; nobody who reads the other sees anything of it.
 */
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

import {
  DELTA_DEPTH_MAX,
  PACK_ALLOCATION_MAX_BYTES,
  PACK_ALLOCATION_PER_OBJECT_BYTES,
  PACK_CHECK_MS,
  PACK_OBJECTS_MAX,
  PACK_PIECE_MS,
  PACK_STREAM_ABOVE_BYTES,
  PUSH_MAX_BYTES,
} from '../limits.ts'
import { deepestDelta } from './delta-depth.ts'
import { sizeOfObjects } from './disk-size.ts'
import { syncFolder } from './durable.ts'
import { PackRefusedError } from './git-store.ts'
import { GroupReader } from './group-reader.ts'
import { type GitHelper, type GitProcess, GitProcessError } from './helper.ts'
import { type NewFile, readWalk, WALK } from './incoming-walk.ts'

const PACK_HEADER_BYTES = 12

interface Readers {
  walk: Promise<GitProcess>
  objects: GroupReader
}

export class Incoming implements AsyncDisposable {
  readonly #helper: GitHelper
  readonly #gitDir: string
  readonly #targetObjects: string
  readonly #release: () => void
  #hasPack = false
  #readers: Readers | null = null

  constructor(helper: GitHelper, at: { gitDir: string; targetDir: string }, release: () => void) {
    this.#helper = helper
    this.#gitDir = at.gitDir
    this.#targetObjects = join(at.targetDir, 'objects')
    this.#release = release
  }

  /**
   * Checks and stores a pack: every object by `git fsck --strict`'s rules, none that refers to one that is nowhere.
   * Reads the chunks to their end in any case, so that the client can be told. Throws PackRefusedError.
   */
  async unpack(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]()
    try {
      const start = await readStart(iterator)
      const objectCount = start.readUInt32BE(8)
      if (objectCount > 0) {
        await this.#index(start, iterator, objectCount, signal)
        await this.#assertShallowDeltas(objectCount)
        this.#hasPack = true
      } else {
        this.#startReaders(signal)
      }
    } finally {
      for (let next = await iterator.next(); next.done !== true;) next = await iterator.next()
    }
  }

  /**
   * Files that commits of `tips` add or change and `known` do not reach; once for a push. Throws PackRefusedError where
   * a commit or folder on the way is missing. Whether a file's content is there is not looked at.
   */
  async *newFiles(tips: readonly string[], known: readonly string[]): AsyncGenerator<NewFile[]> {
    yield* readWalk(await this.#unpacked().walk, tips, known)
  }

  /** Reads what has arrived, and what the repository has, much at once. */
  get objects(): GroupReader {
    return this.#unpacked().objects
  }

  /** Bytes of what has arrived. */
  async size(): Promise<number> {
    return sizeOfObjects(this.#gitDir)
  }

  /** Moves what has arrived into the repository, durably. */
  async accept(): Promise<void> {
    if (!this.#hasPack) return
    const from = join(this.#gitDir, 'objects/pack')
    const to = join(this.#targetObjects, 'pack')
    // git opens a pack when it sees its index, so that comes last.
    const names = (await readdir(from)).toSorted(
      (a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')),
    )
    for (const name of names) await rename(join(from, name), join(to, name))
    await syncFolder(to)
    this.#hasPack = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const walk = await this.#readers?.walk.catch(() => null)
      walk?.stream.destroy()
      walk?.kill()
      await this.#readers?.objects[Symbol.asyncDispose]()
      await rm(this.#gitDir, { recursive: true, force: true })
    } finally {
      this.#release()
    }
  }

  /**
   * Starting a git takes as long as what it is started for. So these are started while the pack is looked at, and look
   * for nothing until they are asked.
   */
  #startReaders(signal: AbortSignal): void {
    const call = { gitDir: this.#gitDir, signal: bounded(signal) }
    // The slot of the push bounds how many of these there are.
    const walk = this.#helper.spawnGit({ ...call, ...WALK, resident: true })
    walk.catch(() => {})
    this.#readers = { walk, objects: new GroupReader(this.#helper, call) }
  }

  #unpacked(): Readers {
    if (this.#readers === null) throw new Error('No pack has arrived')
    return this.#readers
  }

  async #index(
    start: Uint8Array,
    rest: AsyncIterator<Uint8Array>,
    objectCount: number,
    signal: AbortSignal,
  ): Promise<void> {
    const allocation = PACK_ALLOCATION_MAX_BYTES + objectCount * PACK_ALLOCATION_PER_OBJECT_BYTES
    const git = await this.#helper.spawnGit({
      args: [
        '-c',
        `core.bigFileThreshold=${PACK_STREAM_ABOVE_BYTES}`,
        'index-pack',
        '--stdin',
        '--fix-thin',
        '--strict',
        `--max-input-size=${PUSH_MAX_BYTES}`,
      ],
      gitDir: this.#gitDir,
      env: {
        // Deltas are put together in memory: without it a small pack could ask for all there is.
        GIT_ALLOC_LIMIT: String(allocation),
      },
      signal,
      // Lasts as long as the client takes; slots bound how many there are.
      resident: true,
    })
    const drained = drain(git.stream)
    await feed(git, start, rest)
    this.#startReaders(signal)
    const timer = setTimeout(() => git.kill(), PACK_CHECK_MS)
    const exit = await git.exited.finally(() => clearTimeout(timer))
    await drained
    if (exit.code !== 0) throw refusal(exit, 'index-pack')
  }

  /** A chain of tens of thousands of deltas costs every reader of its end as many steps. */
  async #assertShallowDeltas(objectCount: number): Promise<void> {
    if (objectCount <= DELTA_DEPTH_MAX) return
    const folder = join(this.#gitDir, 'objects/pack')
    const name = (await readdir(folder)).find((file) => file.endsWith('.pack'))!
    if ((await deepestDelta(join(folder, name), DELTA_DEPTH_MAX)) > DELTA_DEPTH_MAX)
      throw new PackRefusedError(`a chain of deltas is longer than ${DELTA_DEPTH_MAX}`)
  }
}

function bounded(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PACK_CHECK_MS)])
}

/** At least the pack's header, checked. */
async function readStart(chunks: AsyncIterator<Uint8Array>): Promise<Buffer> {
  let start = Buffer.alloc(0)
  while (start.length < PACK_HEADER_BYTES) {
    const next = await chunks.next()
    if (next.done === true) throw new PackRefusedError('the pack ends early')
    start = Buffer.concat([start, next.value])
  }
  const version = start.readUInt32BE(4)
  if (start.toString('latin1', 0, 4) !== 'PACK' || (version !== 2 && version !== 3))
    throw new PackRefusedError('this is not a pack')
  if (start.readUInt32BE(8) > PACK_OBJECTS_MAX)
    throw new PackRefusedError(`the pack has more than ${PACK_OBJECTS_MAX} objects: push in steps`)
  return start
}

/** Gives git the pack. When git has ended already, the caller reads on to the end of what the client sends. */
async function feed(git: GitProcess, start: Uint8Array, rest: AsyncIterator<Uint8Array>): Promise<void> {
  let isOpen = true
  const closed = new Promise<void>((resolve) => {
    git.stream.once('close', () => {
      isOpen = false
      resolve()
    })
  })
  for (let chunk: Uint8Array = start; isOpen;) {
    if (!git.stream.write(chunk)) {
      const timer = setTimeout(() => git.kill(), PACK_PIECE_MS)
      await Promise.race([new Promise((resolve) => git.stream.once('drain', resolve)), closed])
      clearTimeout(timer)
    }
    const next = await rest.next()
    if (next.done === true) break
    chunk = next.value
  }
  git.stream.end()
}

/** What index-pack prints is the pack's name. It must be read, or the connection would not end. */
async function drain(stream: Duplex): Promise<void> {
  try {
    for await (const _ of stream) continue
  } catch {
    // git ended before it had read everything; its exit says why.
  }
}

function refusal(
  { code, signal, stderr }: { code: number | null; signal: string | null; stderr: string },
  command: string,
): Error {
  const cause = new GitProcessError('exit', `git ${command} ended with ${code ?? signal}: ${stderr}`, {
    stderr,
  })
  if (signal !== null) return new PackRefusedError('the pack takes too long to unpack', { cause })
  const said = /^(?:fatal|error): (.*)$/m.exec(stderr)?.[1] ?? 'it cannot be unpacked'
  const reason = /attempting to allocate/.test(said)
    ? `an object of the pack is larger than ${PACK_ALLOCATION_MAX_BYTES / 1024 / 1024} MiB`
    : said
  return new PackRefusedError(reason, { cause })
}
