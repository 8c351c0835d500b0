/**
 * The front matter of a card: YAML from whoever can write a README, read so that no document can cost much more than its
 * length. Only plain data comes out: no tags, no duplicate keys, bounded depth, nodes and aliases.
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document } from 'yaml'

import {
  CARD_MESSAGES_MAX,
  CARD_YAML_ALIASES_MAX,
  CARD_YAML_DEPTH_MAX,
  CARD_YAML_MAX_BYTES,
  CARD_YAML_NODES_MAX,
} from '../limits.ts'
import { printable } from '../repo-id.ts'

export type CardData = Record<string, unknown>

export interface ParsedCard {
  /** Null when there is no front matter, when it is empty, or when there are problems. */
  data: CardData | null
  /** Why the front matter cannot be used. */
  problems: string[]
}

/** Line ends as in huggingface_hub 2.4.0 `REGEX_YAML_BLOCK`; `\s` takes a byte order mark. */
const OPENING = /^\s*---(?:\r\n|\r|\n)/
const CLOSING = /(?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$)/g

export function parseCard(markdown: string): ParsedCard {
  const opening = OPENING.exec(markdown.slice(0, CARD_YAML_MAX_BYTES))?.[0]
  if (opening === undefined) return { data: null, problems: [] }
  // One character is at least one byte, so what ends later is too large in any case.
  const reach = markdown.slice(opening.length, opening.length + CARD_YAML_MAX_BYTES + 8)
  CLOSING.lastIndex = 0
  const closing = CLOSING.exec(reach)
  if (closing === null && markdown.length <= opening.length + reach.length)
    return { data: null, problems: [] }
  const yaml = reach.slice(0, closing?.index)
  if (closing === null || new TextEncoder().encode(yaml).length > CARD_YAML_MAX_BYTES)
    return { data: null, problems: [`the metadata is larger than ${CARD_YAML_MAX_BYTES} bytes`] }
  return parseYaml(yaml)
}

function parseYaml(yaml: string): ParsedCard {
  if (hasTooManyMarks(yaml)) return { data: null, problems: [TOO_MANY] }
  // The library compares every key of a mapping with every other, so duplicates are found here instead. What nests too
  // deep for its stack it reports as an error.
  const document = parseDocument(yaml, {
    uniqueKeys: false,
    schema: 'core',
    logLevel: 'silent',
    prettyErrors: false,
  })
  const problems = [...document.errors, ...document.warnings]
    .slice(0, CARD_MESSAGES_MAX)
    .map((problem) => problem.message)
  if (problems.length === 0) problems.push(...structureProblems(document))
  if (problems.length > 0) return { data: null, problems: problems.map((problem) => printable(problem, 300)) }
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: CARD_YAML_ALIASES_MAX })
  } catch (error) {
    if (error instanceof ReferenceError)
      return { data: null, problems: ['the metadata uses too many aliases'] }
    throw error
  }
  if (data === null || data === undefined) return { data: null, problems: [] }
  if (typeof data !== 'object' || Array.isArray(data))
    return { data: null, problems: ['the metadata is not a list of keys with values'] }
  const problem = expansionProblem(data)
  if (problem !== null) return { data: null, problems: [problem] }
  // A plain object, because the document is a mapping.
  return { data: data as CardData, problems: [] }
}

const TOO_MANY = 'the metadata has too many values'
const TOO_DEEP = `the metadata is nested deeper than ${CARD_YAML_DEPTH_MAX} levels`

/** Refuses masses of flow syntax, on which the parser would spend a second or two, before it sees them. */
function hasTooManyMarks(yaml: string): boolean {
  let marks = 0
  for (const _ of yaml.matchAll(/[,[{]/g)) if (++marks > CARD_YAML_NODES_MAX) return true
  return false
}

/** What the parser lets pass: duplicate and odd keys, depth, too many nodes or aliases. Aliases are not followed. */
function structureProblems(document: Document): string[] {
  const pending: { node: unknown; depth: number }[] = [{ node: document.contents, depth: 1 }]
  let nodes = 0
  let aliases = 0
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next
    if (depth > CARD_YAML_DEPTH_MAX) return [TOO_DEEP]
    if (++nodes > CARD_YAML_NODES_MAX) return [TOO_MANY]
    if (isAlias(node) && ++aliases > CARD_YAML_ALIASES_MAX) return ['the metadata uses too many aliases']
    if (isSeq(node)) for (const item of node.items) pending.push({ node: item, depth: depth + 1 })
    if (!isMap(node)) continue
    const keys = new Set<string>()
    for (const { key, value } of node.items) {
      if (!isScalar(key)) return ['a key of the metadata is not text']
      const name = String(key.value)
      if (keys.has(name)) return [`duplicated mapping key '${printable(name)}'`]
      if (name === '__proto__') return [`'__proto__' is not allowed as a key`]
      keys.add(name)
      pending.push({ node: value, depth: depth + 1 })
    }
  }
  return []
}

/** Counts again with aliases followed, and refuses an alias of what contains it. */
function expansionProblem(data: object): string | null {
  const pending: { value: unknown; depth: number }[] = [{ value: data, depth: 1 }]
  let nodes = 0
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.depth > CARD_YAML_DEPTH_MAX) return TOO_DEEP
    if (++nodes > CARD_YAML_NODES_MAX) return TOO_MANY
    if (typeof next.value !== 'object' || next.value === null) continue
    for (const value of Object.values(next.value)) pending.push({ value, depth: next.depth + 1 })
  }
  return null
}
