/**
 * What follows from rows and from content that never changes, remembered until somebody writes. The rights that an
 * answer was given under are rows too: whatever takes them away is a transaction, and ends every answer.
 */
import { ANSWER_KEY_MAX_CHARS, ANSWERS_MAX } from '../limits.ts'
import type { Catalog } from '../store/catalog/catalog.ts'

export class Answers<V extends object> {
  readonly #known = new Map<string, V>()
  #epoch: number | null = null

  /** `key` names all that `find` depends on beside the rows: who asks, too. What `find` throws is not remembered. */
  async get(catalog: Pick<Catalog, 'epoch'>, key: string, find: () => Promise<V>): Promise<V> {
    const { epoch } = catalog
    if (epoch === null || key.length > ANSWER_KEY_MAX_CHARS) return find()
    if (epoch !== this.#epoch) {
      this.#known.clear()
      this.#epoch = epoch
    }
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const found = await find()
    // Rows that were read before a commit must not stand after it.
    if (catalog.epoch !== epoch) return found
    if (this.#known.size >= ANSWERS_MAX) this.#known.clear()
    this.#known.set(key, found)
    return found
  }

  /** For changes that are no transaction: objects that a repack removed. */
  clear(): void {
    this.#known.clear()
  }
}
