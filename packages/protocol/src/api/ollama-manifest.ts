/**
 * The manifest that Ollama pulls a model by, and its config blob. Both are JSON and known by the sha256 of their bytes, so
 * the same files always give the same bytes:
 *
 *   {"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
 *    "config":{"digest":"sha256:…","mediaType":"application/vnd.docker.container.image.v1+json","size":411},
 *    "layers":[{"digest":"sha256:…","mediaType":"application/vnd.ollama.image.model","size":396705472}, …]}
 */
import type { GgufFacts } from './gguf.ts'

export const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG_TYPE = 'application/vnd.docker.container.image.v1+json'

/** In the order in which they stand in a manifest. */
export const LAYER_KINDS = ['model', 'projector', 'template', 'system', 'params', 'license'] as const
export type LayerKind = (typeof LAYER_KINDS)[number]

export interface Layer {
  kind: LayerKind
  /** Hex, without `sha256:`. */
  sha256: string
  sizeBytes: number
}

export function formatDigest(sha256: string): string {
  return `sha256:${sha256}`
}

/** The hex of a digest, or null for anything else: there is no other algorithm here. */
export function parseDigest(digest: string): string | null {
  return /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] ?? null
}

/** `gguf` is what the head of the model says, null when it could not be read. */
export function formatConfig(
  layers: readonly Layer[],
  model: { quant: string | null; gguf: GgufFacts | null },
): Uint8Array {
  const family = model.gguf?.architecture ?? 'unknown'
  return encode({
    model_format: 'gguf',
    model_family: family,
    model_families: [family],
    model_type: model.gguf === null ? 'unknown' : formatCount(model.gguf.total),
    file_type: model.quant ?? 'unknown',
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ sha256 }) => formatDigest(sha256)) },
  })
}

export function formatManifest(
  layers: readonly Layer[],
  config: { sha256: string; sizeBytes: number },
): Uint8Array {
  return encode({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { digest: formatDigest(config.sha256), mediaType: CONFIG_TYPE, size: config.sizeBytes },
    layers: layers.map(({ kind, sha256, sizeBytes }) => ({
      digest: formatDigest(sha256),
      mediaType: `application/vnd.ollama.image.${kind}`,
      size: sizeBytes,
    })),
  })
}

/** Parameters as people speak of them: `1.24B`, `494M`. */
function formatCount(count: number): string {
  for (const [unit, size] of [
    ['T', 1e12],
    ['B', 1e9],
    ['M', 1e6],
    ['K', 1e3],
  ] as const)
    if (count >= size) return Number((count / size).toPrecision(3)).toString() + unit
  return String(count)
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
