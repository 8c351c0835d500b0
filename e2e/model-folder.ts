/** Folders to upload, and what must come back: a listing of digests that is compared on both ends. */
import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

export interface FileFacts {
  sizeBytes: number
  sha256: string
  /** The oid that git gives to these bytes. */
  gitOid: string
}

/** By path in the repository. */
export type Manifest = Record<string, FileFacts>

export const largeFileSizeBytes = 64 * 1024 * 1024

const card = `---
license: mit
language: en
library_name: transformers
pipeline_tag: text-classification
tags:
- odd-names
---
# Odd names

A folder whose file names try what URLs, shells and git are known to trip over.
`

/** Names that each client in here can send; those that a client cannot are in `unsendableByJs`. */
const oddTextFiles: Record<string, string> = {
  'README.md': card,
  'config.json': '{"model_type":"bert","hidden_size":4}\n',
  'empty.txt': '',
  'with some space.txt': 'space\n',
  'hash#tag.txt': 'hash\n',
  'percent%20encoded.txt': 'percent\n',
  '100% sure.txt': 'bare percent\n',
  'plus+plus.txt': 'plus\n',
  'brackets[1].txt': 'brackets\n',
  'question?.txt': 'question\n',
  'q&a=1;2,3.txt': 'reserved\n',
  "it's.txt": 'quote\n',
  'ünïcödé-日本語-🪨.txt': 'unicode\n',
  'cafe\u0301.txt': 'decomposed\n',
  'crlf.txt': 'one\r\ntwo\r\n',
  '.hidden': 'hidden\n',
  'nested/deep/er/file one.txt': 'nested\n',
  'nested/deep/ünïcödé/[x] #1.json': '{}\n',
  'drop me/a.txt': 'a\n',
  'drop me/b/c.txt': 'c\n',
}

/** @huggingface/hub puts a path into the URL as it is: `#` and `?` cut it off there, and `%` starts an escape. */
export const unsendableByJs = /[#?%]/

/**
 * Writes the odd folder: the files above, two small binaries (one that .gitattributes names and one that only its
 * bytes betray) and, when asked for, one random file of 64 MiB.
 */
export async function writeOddFolder(
  folder: string,
  options: { large: boolean; keep?: (path: string) => boolean },
): Promise<void> {
  const files: [string, Uint8Array][] = [
    ...Object.entries(oddTextFiles).map(([path, text]): [string, Uint8Array] => [path, Buffer.from(text)]),
    ['nested/tensor 1.bin', noise('tensor', 3_000)],
    ['nested/looks like nothing', noise('unnamed', 200_000)],
    ['model.safetensors', noise('large', options.large ? largeFileSizeBytes : 300_000)],
  ]
  for (const [path, bytes] of files) {
    if (options.keep?.(path) === false) continue
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
}

export async function readManifest(folder: string): Promise<Manifest> {
  const manifest: Manifest = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const file = join(entry.parentPath, entry.name)
    const { size } = await stat(file)
    const sha256 = createHash('sha256')
    const sha1 = createHash('sha1').update(`blob ${size}\0`)
    for await (const bytes of createReadStream(file) as AsyncIterable<Buffer>) {
      sha256.update(bytes)
      sha1.update(bytes)
    }
    manifest[relative(folder, file)] = {
      sizeBytes: size,
      sha256: sha256.digest('hex'),
      gitOid: sha1.digest('hex'),
    }
  }
  return manifest
}

/** Paths and sha256 only, for comparing with what a client reports. */
export function digests(manifest: Manifest): Record<string, string> {
  return Object.fromEntries(Object.entries(manifest).map(([path, facts]) => [path, facts.sha256]))
}

/** Bytes that do not compress, the same in every run. */
export function noise(seed: string, sizeBytes: number): Uint8Array {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes))
}
