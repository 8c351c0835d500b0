/** A staged write on disk: turns a staging file into a blob, durable before it is visible, visible in one step. */
import { link, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

import { hasCode, makeDirDurable, syncDir } from '../durable.ts'
import { BlobMismatchError } from './blob-store.ts'
import type { BlobKey, Staged } from './blob-store.ts'
import type { StagingFile } from './staging-file.ts'

export class DiskStaged implements Staged {
  readonly #file: StagingFile
  readonly #pathOf: (key: BlobKey) => string
  #committing: Promise<void> | null = null

  constructor(file: StagingFile, pathOf: (key: BlobKey) => string) {
    this.#file = file
    this.#pathOf = pathOf
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes
  }

  sha256(): string {
    return this.#file.sha256()
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#file.append(bytes)
  }

  async commit(key: BlobKey, expect: { sizeBytes?: number; sha256?: string } = {}): Promise<void> {
    if (this.#committing !== null) throw new Error('The staged write has been ended')
    this.#committing = this.#commit(key, expect)
    await this.#committing
  }

  async abort(): Promise<void> {
    // A commit under way decides the outcome itself, and its caller hears of a failure.
    await this.#committing?.catch(() => undefined)
    await this.#file.discard()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  async #commit(key: BlobKey, expect: { sizeBytes?: number; sha256?: string }): Promise<void> {
    try {
      const target = this.#pathOf(key)
      await this.#file.finish()
      const actual = { sizeBytes: this.sizeBytes, sha256: this.#file.isHashed ? this.sha256() : null }
      if ((expect.sizeBytes ?? actual.sizeBytes) !== actual.sizeBytes) throw new BlobMismatchError(actual)
      if ((expect.sha256 ?? actual.sha256) !== actual.sha256) throw new BlobMismatchError(actual)
      if (!(await isPresent(target))) {
        await this.#file.sync()
        await makeDirDurable(dirname(target))
        await linkUnlessPresent(this.#file.path, target)
      }
      // Also for a blob that was there: whoever put it there may not have come to this line yet.
      await syncDir(dirname(target))
    } finally {
      await this.#file.discard()
    }
  }
}

async function isPresent(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** A link, unlike a rename, never takes the place of a blob that another commit put there meanwhile. */
async function linkUnlessPresent(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}
