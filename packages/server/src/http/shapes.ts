/** How values of the operations look on the wire, where several routes share a shape. */
import { formatDate } from '@cairn/protocol/api/dates'

import type { ListedEntry } from '../ops/files.ts'

/** hub-api.md §5.1. Directories have a size too: HfFileSystem of 0.19 reads it. */
export function entryShape(entry: ListedEntry): Record<string, unknown> {
  const { type, path, oid, sizeBytes, lfs, xetHash, lastCommit } = entry
  return {
    type,
    oid,
    size: sizeBytes,
    path,
    ...(lfs === null
      ? {}
      : { lfs: { oid: lfs.oid, size: lfs.sizeBytes, pointerSize: lfs.pointerSizeBytes } }),
    ...(xetHash === null ? {} : { xetHash }),
    ...(lastCommit === null
      ? {}
      : {
          lastCommit: {
            id: lastCommit.oid,
            title: titleOf(lastCommit.message),
            date: formatDate(lastCommit.date),
          },
        }),
  }
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
