import type { BlobStore, PartStore, Staged } from '@cairn/server/store/blobs/blob-store'
/**
 * A store whose n-th call fails, for stories of the kind «whatever fails, nothing half-done is visible»: fail at call 1,
 * 2, 3 … until the story passes. Clean-up (abort, disposal) and the question for space are not counted and never fail.
 * Blob store and catalog can share a count, and the fault can be the last thing that happens, as when the process is killed.
 */
import type { Catalog } from '@cairn/server/store/catalog/catalog'

export class InjectedFault extends Error {
  constructor(call: number, name: string) {
    super(`Injected fault at call ${call}: ${name}`)
    this.name = 'InjectedFault'
  }
}

/** `before`: the call does nothing. `after`: the call does its work, but the caller hears of a failure. */
export type FaultTiming = 'before' | 'after'

/**
 * Tells the story with a store that fails at its first call, then at its second, and so on until no call is left to
 * fail. `inspect` runs after every failed telling. Returns how many tellings failed; throws what the story throws by
 * itself.
 */
export async function failEachCall(
  timing: FaultTiming,
  open: () => Promise<BlobStore>,
  story: (store: BlobStore) => Promise<void>,
  inspect: (fault: InjectedFault) => Promise<void>,
): Promise<number> {
  for (let failing = 1; ; failing++) {
    const store = failAtCall(await open(), failing, timing)
    try {
      await story(store)
      return failing - 1
    } catch (error) {
      if (!(error instanceof InjectedFault)) throw error
      await inspect(error)
    }
  }
}

/** What the system says when a disk is full (`ENOSPC`) or does not take what it should (`EIO`). */
export function systemFault(code: 'ENOSPC' | 'EIO'): (call: number, name: string) => Error {
  return (call, name) => Object.assign(new Error(`${code}: injected at call ${call}: ${name}`), { code })
}

export interface FaultPlan {
  /** Which call, counted from 1. */
  failing: number
  timing: FaultTiming
  /** Every later call fails, too, and does nothing: the process is gone. */
  isDeadly?: boolean
  makeFault?: (call: number, name: string) => Error
}

/** What everything that is wrapped tells of its calls. */
export interface Calls {
  run<T>(name: string, work: () => Promise<T>, undo?: (done: T) => Promise<void>): Promise<T>
}

/** What these change, if anything, a restart does not see. */
const FLEETING: ReadonlySet<string> = new Set([
  'append',
  'stat',
  'read',
  'read.next',
  'readInto',
  'list.next',
  'parts.list',
  'parts.listStale',
  'presign',
])

/**
 * Fails nothing, but lets `look` see what lies there before the first call and after each one that may have changed
 * something for good: all that a process can leave that is killed between two of them.
 */
export class WatchedCalls implements Calls {
  readonly #look: (state: string) => void
  #count = 0

  constructor(look: (state: string) => void) {
    this.#look = look
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#count === 0) this.#look('before the first call')
    const number = ++this.#count
    const done = await work()
    if (!FLEETING.has(name)) this.#look(`after call ${number}, ${name}`)
    return done
  }
}

/** Counts the calls of everything that is wrapped with it. */
export class CountedCalls implements Calls {
  readonly #plan: Required<FaultPlan>
  #count = 0

  constructor(plan: FaultPlan) {
    this.#plan = { isDeadly: false, makeFault: (call, name) => new InjectedFault(call, name), ...plan }
  }

  /** Whether the fault has happened. */
  get hasFailed(): boolean {
    return this.#count >= this.#plan.failing
  }

  async run<T>(name: string, work: () => Promise<T>, undo?: (done: T) => Promise<void>): Promise<T> {
    const { failing, timing, isDeadly, makeFault } = this.#plan
    const number = ++this.#count
    const isFailing = number === failing
    if ((isFailing && timing === 'before') || (isDeadly && number > failing)) throw makeFault(number, name)
    const done = await work()
    if (!isFailing) return done
    // The caller gets nothing that it could release, as when a reply is lost and the peer gives up.
    await undo?.(done)
    throw makeFault(number, name)
  }
}

/** The store, but its `failing`-th call throws: an `InjectedFault`, or what `makeFault` makes. */
export function failAtCall(
  store: BlobStore,
  failing: number,
  timing: FaultTiming,
  makeFault?: FaultPlan['makeFault'],
): BlobStore {
  const plan = { failing, timing, ...(makeFault === undefined ? {} : { makeFault }) }
  return faultyStore(store, new CountedCalls(plan))
}

/** A transaction is one call; `after`: it has committed. Reads outside of one are not counted. */
export function faultyCatalog(catalog: Catalog, calls: Calls): Catalog {
  return {
    rows: catalog.rows,
    get epoch() {
      return catalog.epoch
    },
    tx: (work) => calls.run('tx', () => catalog.tx(work)),
    copyTo: (path) => calls.run('copyTo', () => catalog.copyTo(path)),
    [Symbol.asyncDispose]: () => catalog[Symbol.asyncDispose](),
  }
}

/** Each chunk read and each entry listed is a call. */
export function faultyStore(store: BlobStore, calls: Calls): BlobStore {
  const call: Calls['run'] = (name, work, undo) => calls.run(name, work, undo)

  async function* each<T>(name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await call(name, () => iterator.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      await iterator.return?.()
    }
  }

  function staged(inner: Staged): Staged {
    return {
      append: (bytes) => call('append', () => inner.append(bytes)),
      get sizeBytes() {
        return inner.sizeBytes
      },
      sha256: () => inner.sha256(),
      commit: (key, expect) => call('commit', () => inner.commit(key, expect)),
      abort: () => inner.abort(),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    }
  }

  const parts: PartStore = {
    put: (...put) => call('parts.put', () => store.parts.put(...put)),
    list: (uploadId) => call('parts.list', () => store.parts.list(uploadId)),
    assemble: async (...joined) =>
      staged(
        await call(
          'parts.assemble',
          () => store.parts.assemble(...joined),
          (inner) => inner.abort(),
        ),
      ),
    drop: (uploadId) => call('parts.drop', () => store.parts.drop(uploadId)),
    listStale: (before) => each('parts.listStale', store.parts.listStale(before)),
  }

  return {
    stat: (key) => call('stat', () => store.stat(key)),
    read: async (key, range) => each('read.next', await call('read', () => store.read(key, range), unread)),
    open: async (key) => {
      const inner = await call(
        'open',
        () => store.open(key),
        async (opened) => opened[Symbol.asyncDispose](),
      )
      return {
        readInto: (...read) => call('readInto', () => inner.readInto(...read)),
        [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      }
    },
    stage: async (kind) =>
      staged(
        await call(
          'stage',
          () => store.stage(kind),
          (inner) => inner.abort(),
        ),
      ),
    parts,
    delete: (key) => call('delete', () => store.delete(key)),
    list: (prefix, after) => each('list.next', store.list(prefix, after)),
    space: () => store.space(),
    presign: (...presigned) => call('presign', () => store.presign(...presigned)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

async function unread(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await chunks[Symbol.asyncIterator]().return?.()
}
