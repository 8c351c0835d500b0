/**
 * The head of a safetensors file, and the index of a sharded model:
 *
 *   0  8  header length N, u64 LE
 *   8  N  JSON: {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
 *
 * Only what counts parameters is read. https://huggingface.co/docs/safetensors/index#format
 */
import { FormatError } from '../errors.ts'
import {
  SAFETENSORS_HEADER_MAX_BYTES,
  SAFETENSORS_SHARDS_MAX,
  SAFETENSORS_TENSORS_MAX,
  TENSOR_DIMENSIONS_MAX,
} from '../limits.ts'

export const SAFETENSORS_PREFIX_BYTES = 8

/** Number of parameters by data type, e.g. `{ F32: 22713216, I64: 512 }`. */
export type ParameterCounts = Record<string, number>

const DTYPE = /^[A-Z][A-Z0-9_]{0,15}$/
/** `dir/model-00001-of-00002.safetensors`; a name that could leave the folder is none. */
const SHARD_NAME = /^[\w.-]+\.safetensors$/

/** Length of the JSON behind the prefix. */
export function parseHeaderLength(prefix: Uint8Array): number {
  if (prefix.length < SAFETENSORS_PREFIX_BYTES)
    throw new FormatError('The file ends in its prefix', prefix.length)
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  const length = view.getBigUint64(0, true)
  if (length < 2n || length > BigInt(SAFETENSORS_HEADER_MAX_BYTES))
    throw new FormatError(`A header of ${length} bytes`, 0)
  return Number(length)
}

/** Parameters of a header's tensors. `json` is the whole header without the prefix. */
export function countParameters(json: Uint8Array): ParameterCounts {
  const header = parseObject(json)
  const names = Object.keys(header)
  if (names.length > SAFETENSORS_TENSORS_MAX)
    throw new FormatError('Too many tensors', SAFETENSORS_PREFIX_BYTES)
  const counts = new Map<string, number>()
  for (const name of names) {
    if (name === '__metadata__') continue
    const tensor = header[name]
    const { dtype, shape } = isObject(tensor) ? tensor : {}
    if (typeof dtype !== 'string' || !DTYPE.test(dtype))
      throw new FormatError('A tensor without a data type', SAFETENSORS_PREFIX_BYTES)
    counts.set(dtype, addSafely(counts.get(dtype) ?? 0, elementCount(shape)))
  }
  return Object.fromEntries(counts)
}

/** The files of a sharded model, each once, as `model.safetensors.index.json` names them. */
export function parseShardIndex(json: Uint8Array): string[] {
  const map = parseObject(json)['weight_map']
  if (!isObject(map)) throw new FormatError('An index without a weight map', 0)
  const names = new Set<string>()
  for (const name of Object.values(map)) {
    if (typeof name !== 'string' || !SHARD_NAME.test(name)) throw new FormatError('An odd name of a shard', 0)
    names.add(name)
    if (names.size > SAFETENSORS_SHARDS_MAX) throw new FormatError('Too many shards', 0)
  }
  return [...names]
}

/** Sums of counts; FormatError when they are more than a number can hold. */
export function addCounts(all: readonly ParameterCounts[]): ParameterCounts {
  const sums = new Map<string, number>()
  for (const counts of all)
    for (const [dtype, count] of Object.entries(counts))
      sums.set(dtype, addSafely(sums.get(dtype) ?? 0, count))
  return Object.fromEntries(sums)
}

export function totalOf(counts: ParameterCounts): number {
  return Object.values(counts).reduce(addSafely, 0)
}

function elementCount(shape: unknown): number {
  if (!Array.isArray(shape) || shape.length > TENSOR_DIMENSIONS_MAX)
    throw new FormatError('A tensor without a shape', SAFETENSORS_PREFIX_BYTES)
  let count = 1
  for (const dimension of shape as unknown[]) {
    if (typeof dimension !== 'number' || !Number.isSafeInteger(dimension) || dimension < 0)
      throw new FormatError('An odd dimension', SAFETENSORS_PREFIX_BYTES)
    count *= dimension
    if (!Number.isSafeInteger(count)) throw new FormatError('A tensor too large', SAFETENSORS_PREFIX_BYTES)
  }
  return count
}

function addSafely(a: number, b: number): number {
  if (!Number.isSafeInteger(a + b)) throw new FormatError('Too many parameters', 0)
  return a + b
}

function parseObject(json: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch (error) {
    throw new FormatError(`Not JSON: ${(error as Error).message.slice(0, 80)}`, 0)
  }
  if (!isObject(value)) throw new FormatError('Not a JSON object', 0)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
