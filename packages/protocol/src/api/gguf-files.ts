/**
 * What the names of GGUF files say, and which file a tag means. A tag is the name of a quantization, in any case, or of a
 * file, with or without `.gguf`:
 *
 *   Qwen3-0.6B-Q4_K_M.gguf                  → quantization Q4_K_M
 *   Qwen3-UD-Q4_K_XL.gguf                   → UD-Q4_K_XL, also found as Q4_K_XL
 *   BF16/Qwen3-00001-of-00003.gguf          → BF16, from the folder; the first of three parts
 *   mmproj-F16.gguf                         → the projector of a model that sees or hears
 */

export interface GgufFile {
  path: string
  /** The last part of the path without `.gguf` and without the number of a part. */
  stem: string
  /** In upper case; null when neither the name nor a folder says it. */
  quant: string | null
  /** Set when the model is split into several files. */
  shard: { index: number; count: number } | null
  /** `aside`: importance matrices and draft models, which no tag means. */
  kind: 'model' | 'projector' | 'aside'
}

const SHARD = /^(.+)-(\d{5})-of-(\d{5})$/
const QUANT =
  /(?<![A-Z0-9])(?:UD-)?(?:I?Q[1-8](?:_(?:[0-9]+|K|NL|XXS|XS|S|M|L|XL|XXL))*|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP?(?:16|32|64))(?![A-Z0-9])/g
const ASIDE = /imatrix|^(?:mtp|eagle3|dflash|dspark)-/

/** Null for a path that is not one of a GGUF file. */
export function parseGgufPath(path: string): GgufFile | null {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (!/.\.gguf$/i.test(name)) return null
  const base = name.slice(0, -'.gguf'.length)
  const shard = SHARD.exec(base)
  const stem = shard?.[1] ?? base
  const lower = stem.toLowerCase()
  return {
    path,
    stem,
    quant: lastQuant(stem) ?? lastQuant(path.slice(0, -name.length)),
    shard: shard === null ? null : { index: Number(shard[2]), count: Number(shard[3]) },
    kind: lower.includes('mmproj') ? 'projector' : ASIDE.test(lower) ? 'aside' : 'model',
  }
}

function lastQuant(text: string): string | null {
  return text.toUpperCase().match(QUANT)?.at(-1) ?? null
}

/** The file that a tag means, the first one of a split model; null when it means none. */
export function chooseModel(files: readonly GgufFile[], tag: string): GgufFile | null {
  const models = modelsOf(files)
  const wanted = tag.toUpperCase()
  const first = (matches: (file: GgufFile) => boolean) => models.find(matches) ?? null
  if (wanted === 'LATEST')
    return (
      first(({ quant }) => quant === 'Q4_K_M') ??
      first(({ quant }) => withoutMark(quant).startsWith('Q4')) ??
      first(() => true)
    )
  return (
    first((file) => namesOf(file).includes(wanted)) ??
    first(({ quant }) => quant === wanted) ??
    first(({ quant }) => withoutMark(quant) === wanted)
  )
}

/** The projector that belongs to a model: the one nearest above it, in the precision that clients run it in. */
export function chooseProjector(files: readonly GgufFile[], model: GgufFile): GgufFile | null {
  const precision = ({ quant }: GgufFile) => {
    const rank = ['F16', 'FP16', 'BF16', 'Q8_0', 'F32', 'FP32'].indexOf(quant ?? '')
    return rank === -1 ? Infinity : rank
  }
  const [best] = files
    .filter(({ kind, path }) => kind === 'projector' && model.path.startsWith(folderOf(path)))
    .toSorted(
      (a, b) => folderOf(b.path).length - folderOf(a.path).length || orderOf(precision(a), precision(b)),
    )
  return best ?? null
}

/** The tags that somebody may choose from, without repetition. */
export function tagsOf(files: readonly GgufFile[]): string[] {
  return [...new Set(modelsOf(files).map(({ quant, stem }) => quant ?? stem))]
}

/** Each model once: of a split one, its first part. */
export function modelsOf(files: readonly GgufFile[]): GgufFile[] {
  return files.filter(({ kind, shard }) => kind === 'model' && (shard === null || shard.index === 1))
}

function namesOf({ path, stem }: GgufFile): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return [path, name, name.slice(0, -'.gguf'.length), stem].map((text) => text.toUpperCase())
}

function withoutMark(quant: string | null): string {
  return (quant ?? '').replace(/^UD-/, '')
}

/** With the slash behind it; empty for the root. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

function orderOf(a: number, b: number): number {
  return a === b ? 0 : a - b
}
