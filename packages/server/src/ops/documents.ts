/**
 * Reading what people write: cards and heads of weight files. Small documents are read in place, since a hop costs more
 * than they do; the others on the thread for documents.
 */

import { parseCard, type ParsedCard } from '@cairn/protocol/api/card'
import { validateCard, type CardReport } from '@cairn/protocol/api/card-rules'
import { parseGguf, type GgufFacts } from '@cairn/protocol/api/gguf'
import { countParameters, parseShardIndex, type ParameterCounts } from '@cairn/protocol/api/safetensors'
import { FormatError, HubError } from '@cairn/protocol/errors'
import type { RepoType } from '@cairn/protocol/repo-id'

import { DOCUMENT_INLINE_MAX_LENGTH, DOCUMENT_RETRY_S } from '../limits.ts'
import { DocumentUnreadError } from '../workers/document-reader.ts'
import type { OpsContext } from './context.ts'

const SLOW = 'the metadata takes too long to read'

/** What is wrong with a README.md, for whoever is about to upload it. Unavailable when too many ask. */
export async function reviewCard(
  ctx: Pick<OpsContext, 'documents'>,
  content: string,
  repoType: RepoType,
): Promise<CardReport> {
  if (content.length <= DOCUMENT_INLINE_MAX_LENGTH) return validateCard(content, repoType)
  try {
    return await ctx.documents.read('cardReport', { content, repoType })
  } catch (error) {
    if (isTooSlow(error)) return { errors: [{ message: `Invalid YAML metadata: ${SLOW}` }], warnings: [] }
    throw busyOr(error)
  }
}

export async function readCard(ctx: Pick<OpsContext, 'documents'>, markdown: string): Promise<ParsedCard> {
  if (markdown.length <= DOCUMENT_INLINE_MAX_LENGTH) return parseCard(markdown)
  try {
    return await ctx.documents.read('card', markdown)
  } catch (error) {
    if (isTooSlow(error)) return { data: null, problems: [SLOW] }
    throw busyOr(error)
  }
}

/** Throws FormatError, also when the head takes too long. */
export async function readSafetensorsJson(ctx: OpsContext, json: Uint8Array): Promise<ParameterCounts> {
  if (json.length <= DOCUMENT_INLINE_MAX_LENGTH) return countParameters(json)
  return head(ctx.documents.read('safetensors', json))
}

/** Throws FormatError, also when it takes too long. */
export async function readShardIndex(ctx: OpsContext, json: Uint8Array): Promise<string[]> {
  if (json.length <= DOCUMENT_INLINE_MAX_LENGTH) return parseShardIndex(json)
  return head(ctx.documents.read('shardIndex', json))
}

/** Null when the head goes on behind these bytes. Throws FormatError, also when it takes too long. */
export async function readGgufHead(ctx: OpsContext, bytes: Uint8Array): Promise<GgufFacts | null> {
  if (bytes.length <= DOCUMENT_INLINE_MAX_LENGTH) return parseGguf(bytes)
  return head(ctx.documents.read('gguf', bytes))
}

async function head<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (isTooSlow(error)) throw new FormatError('The head takes too long to read', 0)
    throw busyOr(error)
  }
}

function isTooSlow(error: unknown): boolean {
  return error instanceof DocumentUnreadError && (error.reason === 'too-slow' || error.reason === 'failed')
}

function busyOr(error: unknown): unknown {
  if (!(error instanceof DocumentUnreadError)) return error
  return new HubError('Unavailable', 'Too many documents wait to be read', {
    cause: error,
    headers: { 'Retry-After': String(DOCUMENT_RETRY_S) },
  })
}
