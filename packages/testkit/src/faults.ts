/**
 * A blob store whose n-th call fails, for stories of the kind «whatever fails, nothing half-done is visible»: fail at
 * call 1, 2, 3 … until the story passes. Clean-up (abort, disposal) is not counted and never fails.
 */
import type { BlobStore, PartStore, Staged } from '@cairn/server/store/blobs/blob-store'

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

/**
 * The store, but its `failing`-th call throws: an `InjectedFault`, or what `makeFault` makes. Each chunk read and each
 * entry listed is a call.
 */
export function failAtCall(
  store: BlobStore,
  failing: number,
  timing: FaultTiming,
  makeFault: (call: number, name: string) => Error = (call, name) => new InjectedFault(call, name),
): BlobStore {
  let calls = 0

  async function call<T>(
    name: string,
    work: () => Promise<T>,
    undo?: (done: T) => Promise<void>,
  ): Promise<T> {
    const number = ++calls
    if (number === failing && timing === 'before') throw makeFault(number, name)
    const done = await work()
    if (number !== failing) return done
    // The caller gets nothing that it could release, as when a reply is lost and the peer gives up.
    await undo?.(done)
    throw makeFault(number, name)
  }

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
    readInto: (...read) => call('readInto', () => store.readInto(...read)),
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
    presign: (...presigned) => call('presign', () => store.presign(...presigned)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

async function unread(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await chunks[Symbol.asyncIterator]().return?.()
}
