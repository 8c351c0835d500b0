/** Repositories of GGUF files, made over HTTP: large files through LFS, the rest in the commit. */
import { createHash } from 'node:crypto'

import { generateGguf } from '@cairn/testkit/gguf-content'

import { tokens } from './hub-process.ts'
import { post } from './mount.ts'

/** As many bytes as a test needs, which any reader takes for a model. */
export function modelBytes(seed: number): Uint8Array {
  return generateGguf({ architecture: 'llama', seed, weightCount: 200_000 })
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A public model; files that end in `.gguf` go up as LFS objects. */
export async function makeGgufRepo(
  endpoint: string,
  repo: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  { isPrivate = false, token = tokens.alice }: { isPrivate?: boolean; token?: string } = {},
): Promise<void> {
  const [organization, name] = repo.split('/')
  await post(
    `${endpoint}/api/repos/create`,
    JSON.stringify({ organization, name, private: isPrivate }),
    token,
  )
  const lines: unknown[] = [{ key: 'header', value: { summary: 'Models' } }]
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    if (path.endsWith('.gguf')) {
      await uploadObject(endpoint, repo, bytes, token)
      const value = { path, algo: 'sha256', oid: sha256(bytes), size: bytes.length }
      lines.push({ key: 'lfsFile', value })
    } else {
      lines.push({ key: 'file', value: { path, content: bytes.toString('base64'), encoding: 'base64' } })
    }
  }
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  await post(`${endpoint}/api/models/${repo}/commit/main`, body, token)
}

async function uploadObject(
  endpoint: string,
  repo: string,
  bytes: Uint8Array<ArrayBuffer>,
  token: string,
): Promise<void> {
  const object = { oid: sha256(bytes), size: bytes.length }
  const batch = await fetch(`${endpoint}/${repo}.git/info/lfs/objects/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/vnd.git-lfs+json' },
    body: JSON.stringify({ operation: 'upload', transfers: ['basic'], objects: [object] }),
  })
  const { objects } = (await batch.json()) as { objects: { actions?: { upload: { href: string } } }[] }
  const href = objects[0]?.actions?.upload.href
  if (href === undefined) return
  const response = await fetch(href, { method: 'PUT', body: bytes })
  if (!response.ok) throw new Error(`PUT of an object: ${response.status} ${await response.text()}`)
}
