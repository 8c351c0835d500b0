import { expect, test } from 'vitest'

import { formatConfig, formatDigest, formatManifest, parseDigest, type Layer } from './ollama-manifest.ts'

const LAYERS: Layer[] = [
  { kind: 'model', sha256: 'a'.repeat(64), sizeBytes: 5 },
  { kind: 'template', sha256: 'b'.repeat(64), sizeBytes: 7 },
]
const read = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))

test('a digest is lower-case sha256 and nothing else', () => {
  const hex = '0123456789abcdef'.repeat(4)
  expect(parseDigest(formatDigest(hex))).toBe(hex)
  for (const other of [
    hex,
    `sha512:${hex}`,
    `sha256:${hex}0`,
    `sha256:${hex.toUpperCase()}`,
    'sha256:',
    `x${hex}`,
  ])
    expect(parseDigest(other)).toBeNull()
})

test('the manifest names config and layers', () => {
  expect(read(formatManifest(LAYERS, { sha256: 'c'.repeat(64), sizeBytes: 3 }))).toEqual({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      digest: `sha256:${'c'.repeat(64)}`,
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: 3,
    },
    layers: [
      { digest: `sha256:${'a'.repeat(64)}`, mediaType: 'application/vnd.ollama.image.model', size: 5 },
      { digest: `sha256:${'b'.repeat(64)}`, mediaType: 'application/vnd.ollama.image.template', size: 7 },
    ],
  })
})

test('the config says what the head of the file says', () => {
  const gguf = { total: 1_235_814_400, architecture: 'llama' }
  expect(read(formatConfig(LAYERS, { quant: 'Q4_K_M', gguf }))).toEqual({
    model_format: 'gguf',
    model_family: 'llama',
    model_families: ['llama'],
    model_type: '1.24B',
    file_type: 'Q4_K_M',
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`] },
  })
  expect(read(formatConfig([], { quant: null, gguf: null }))).toMatchObject({
    model_family: 'unknown',
    model_type: 'unknown',
    file_type: 'unknown',
  })
})

test.each([
  [999, '999'],
  [1000, '1K'],
  [494_032_768, '494M'],
  [8_030_261_248, '8.03B'],
  [405_853_388_800, '406B'],
  [1.04e12, '1.04T'],
])('%i parameters are called %s', (total, name) => {
  expect(read(formatConfig([], { quant: null, gguf: { total } }))).toMatchObject({ model_type: name })
})

test('the same files give the same bytes', () => {
  const model = { quant: 'Q8_0', gguf: { total: 1, architecture: 'x' } }
  expect(formatConfig(LAYERS, model)).toEqual(formatConfig(structuredClone(LAYERS), structuredClone(model)))
})
