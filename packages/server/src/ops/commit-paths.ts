/**
 * How much of a tree one commit may name. Each operation has a short enough path, but all together can name gigabytes of
 * text, or millions of folders that each become an object.
 */
import { HubError } from '@cairn/protocol/errors'

import { COMMIT_FOLDERS_MAX, COMMIT_PATHS_MAX_BYTES } from '../limits.ts'

export class CommitPaths {
  readonly #folders = new Set<string>()
  #lengths = 0

  /** TooLarge when there are too many. */
  add(path: string): void {
    this.#lengths += path.length
    if (this.#lengths > COMMIT_PATHS_MAX_BYTES)
      throw new HubError(
        'TooLarge',
        `The paths of a commit have at most ${COMMIT_PATHS_MAX_BYTES} characters together`,
      )
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end)
      // Those above it were counted with it.
      if (this.#folders.has(folder)) return
      this.#folders.add(folder)
      if (this.#folders.size > COMMIT_FOLDERS_MAX)
        throw new HubError(
          'TooLarge',
          `A commit touches at most ${COMMIT_FOLDERS_MAX} folders: commit in parts`,
        )
    }
  }
}
