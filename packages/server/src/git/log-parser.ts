/**
 * What `git log --raw -z --pretty=raw -m` writes, cut into commits. Between NULs stand, in turn:
 *
 *   commit <oid>[ (from <parent>)] LF headers LF LF message, indented by four spaces [LF LF :modes oids letter]
 *   path                                       (after anything whose last line starts with ':')
 *   :modes oids letter                         (another path of the same commit)
 *   nothing                                    (before the next commit)
 *
 * A merge comes once for each parent it differs from. Messages cannot be mistaken for anything: every line of
 * theirs is indented.
 */
import { FormatError } from '@cairn/protocol/errors'
import { decodeName } from '@cairn/protocol/git/names'

const COMMIT = /^commit ([0-9a-f]{40})(?: \(from ([0-9a-f]{40})\))?\n/
const PARENT = /^parent ([0-9a-f]{40})$/

export interface LogListener {
  /** `comparedTo` is the parent that the following paths differ from; null for a root or when nothing differs. */
  onCommit(oid: string, parents: string[], comparedTo: string | null): void
  onPath(path: string): void
}

export class LogParser {
  readonly #tokenMaxBytes: number
  readonly #listener: LogListener
  #pending: Buffer = Buffer.alloc(0)
  #isPathNext = false
  #offset = 0

  constructor(tokenMaxBytes: number, listener: LogListener) {
    this.#tokenMaxBytes = tokenMaxBytes
    this.#listener = listener
  }

  push(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    let at = 0
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, at)) {
      this.#take(bytes.subarray(at, end))
      this.#offset += end + 1 - at
      at = end + 1
    }
    this.#pending = bytes.subarray(at)
    if (this.#pending.length > this.#tokenMaxBytes)
      throw new FormatError('git log wrote too long a part', this.#offset)
  }

  /** The last commit ends with the output. */
  end(): void {
    if (this.#isPathNext) throw new FormatError('git log ended before a path', this.#offset)
    if (this.#pending.length > 0) this.#take(this.#pending)
  }

  #take(token: Buffer): void {
    if (this.#isPathNext) {
      this.#isPathNext = false
      this.#listener.onPath(decodeName(token))
      return
    }
    if (token.length === 0) return
    if (token[0] !== 0x3a) this.#takeCommit(token.toString('latin1'))
    const lastLine = token.lastIndexOf('\n') + 1
    this.#isPathNext = token[lastLine] === 0x3a
  }

  #takeCommit(text: string): void {
    const match = COMMIT.exec(text)
    if (match === null) throw new FormatError('git log wrote an unknown part', this.#offset)
    const parents: string[] = []
    for (const line of text.slice(match[0].length, text.indexOf('\n\n')).split('\n')) {
      const parent = PARENT.exec(line)?.[1]
      if (parent !== undefined) parents.push(parent)
    }
    this.#listener.onCommit(match[1]!, parents, match[2] ?? (parents.length === 1 ? parents[0]! : null))
  }
}
