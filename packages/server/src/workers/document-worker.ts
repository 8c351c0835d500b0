/**
 * The thread that reads what people write into their files: card metadata and the heads of weights. A document can take
 * seconds to parse, so the thread that serves does not do it.
 */
import { parentPort } from 'node:worker_threads'

import { parseCard, type ParsedCard } from '@cairn/protocol/api/card'
import { validateCard, type CardReport } from '@cairn/protocol/api/card-rules'
import { parseGguf, type GgufFacts } from '@cairn/protocol/api/gguf'
import { countParameters, parseShardIndex, type ParameterCounts } from '@cairn/protocol/api/safetensors'
import { FormatError } from '@cairn/protocol/errors'
import type { RepoType } from '@cairn/protocol/repo-id'

export interface DocumentJobs {
  card: { document: string; result: ParsedCard }
  cardReport: { document: { content: string; repoType: RepoType }; result: CardReport }
  safetensors: { document: Uint8Array; result: ParameterCounts }
  shardIndex: { document: Uint8Array; result: string[] }
  gguf: { document: Uint8Array; result: GgufFacts | null }
}

export type DocumentKind = keyof DocumentJobs

export type DocumentReply = { ok: true; result: unknown } | { ok: false; message: string; offset: number }

const READERS: { [K in DocumentKind]: (document: DocumentJobs[K]['document']) => DocumentJobs[K]['result'] } =
  {
    card: parseCard,
    cardReport: ({ content, repoType }) => validateCard(content, repoType),
    safetensors: countParameters,
    shardIndex: parseShardIndex,
    gguf: parseGguf,
  }

const port = parentPort
if (port === null) throw new Error('document-worker runs in a worker thread')

port.on('message', ({ kind, document }: { kind: DocumentKind; document: never }) => {
  port.postMessage(read(kind, document))
})

function read(kind: DocumentKind, document: never): DocumentReply {
  try {
    return { ok: true, result: READERS[kind](document) }
  } catch (error) {
    if (error instanceof FormatError) return { ok: false, message: error.message, offset: error.offset }
    throw error
  }
}
