/** Content as a whole, in the range that was asked for, or not at all because the caller has it. */
import { parseRange } from '@cairn/protocol/api/ranges'
import { HubError } from '@cairn/protocol/errors'

import type { Content } from '../ops/content.ts'
import type { Reply } from './reply.ts'

/** `headers` hold the ETag that If-None-Match is compared with. */
export function rangedReply(
  content: Content,
  headers: Record<string, string>,
  { range: rangeHeader, 'if-none-match': ifNoneMatch }: { range?: string; 'if-none-match'?: string },
): Reply {
  if (
    ifNoneMatch !== undefined &&
    ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === headers['ETag'])
  )
    return { status: 304, headers }
  const range = parseRange(rangeHeader, content.sizeBytes)
  if (range === 'unsatisfiable')
    throw new HubError('RangeNotSatisfiable', undefined, {
      headers: { 'Content-Range': `bytes */${content.sizeBytes}` },
    })
  // @huggingface/hub probes with bytes=0-0 and throws on a 416 and on a bare 200, also for an empty file.
  if (range === null && rangeHeader !== undefined && content.sizeBytes === 0)
    return { headers: { ...headers, 'Content-Range': 'bytes */0' }, content: { source: content } }
  if (range === null) return { headers, content: { source: content } }
  return {
    status: 206,
    headers: { ...headers, 'Content-Range': `bytes ${range.start}-${range.end}/${content.sizeBytes}` },
    content: { source: content, range },
  }
}
