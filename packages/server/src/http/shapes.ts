/** How values of the operations look on the wire, where several routes share a shape. */
import { formatDate } from '@cairn/protocol/api/dates'

import { COAUTHORS_MAX } from '../limits.ts'
import type { ListedEntry } from '../ops/files.ts'

/** hub-api.md §5.1. Directories have a size too: HfFileSystem of 0.19 reads it. */
export function entryShape(entry: ListedEntry): Record<string, unknown> {
  const { type, path, oid, sizeBytes, lfs, xetHash, quarantined, lastCommit } = entry
  return {
    type,
    oid,
    size: sizeBytes,
    path,
    ...(lfs === null
      ? {}
      : { lfs: { oid: lfs.oid, size: lfs.sizeBytes, pointerSize: lfs.pointerSizeBytes } }),
    ...(xetHash === null ? {} : { xetHash }),
    ...(quarantined === null ? {} : { quarantined }),
    ...(lastCommit === null ? {} : { lastCommit: lastCommitShape(lastCommit) }),
  }
}

type LastCommit = NonNullable<ListedEntry['lastCommit']>

/** Thousands of entries share a few commits, and formatting a date costs more than the rest of an entry. */
const lastCommitShapes = new WeakMap<LastCommit, object>()

function lastCommitShape(commit: LastCommit): object {
  let shape = lastCommitShapes.get(commit)
  if (shape === undefined) {
    shape = { id: commit.oid, title: titleOf(commit.message), date: formatDate(commit.date) }
    lastCommitShapes.set(commit, shape)
  }
  return shape
}

/** First line of a commit message. */
export function titleOf(message: string): string {
  return message.split('\n', 1)[0] ?? ''
}

/** The rest, without the blank line between. */
export function bodyOf(message: string): string {
  const newline = message.indexOf('\n')
  return newline === -1 ? '' : message.slice(newline).trim()
}

const COAUTHOR = /^co-authored-by:[ \t]*([^<>\n]{1,256}?)[ \t]*<[^<>\n]*>[ \t]*$/gim

/** Who wrote a commit, and with whom. */
export function authorsOf(commit: { authorName: string; message: string }): { user: string }[] {
  const names = new Set([commit.authorName])
  for (const [, name] of commit.message.matchAll(COAUTHOR)) {
    if (names.size > COAUTHORS_MAX) break
    if (name !== undefined) names.add(name)
  }
  return [...names].map((user) => ({ user }))
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
