/** The hub under measurement, a process of its own, and what benchmarks put into it over its API. */
import { createHash } from 'node:crypto'

import { startHub, type HubProcess } from '../../e2e/hub-process.ts'

export { startHub }

export function authorization(hub: HubProcess): { Authorization: string } {
  return { Authorization: `Bearer ${hub.token}` }
}

/** A JSON request of alice's. Throws unless it succeeds. */
export async function call(hub: HubProcess, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(hub.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...authorization(hub), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/** Makes the model `alice/<name>` and returns its id. */
export async function makeRepo(hub: HubProcess, name: string): Promise<string> {
  await call(hub, '/api/repos/create', { name, type: 'model' })
  return `alice/${name}`
}

export function commitBody(files: Iterable<readonly [path: string, content: Buffer]>): string {
  const lines = [JSON.stringify({ key: 'header', value: { summary: 'benchmark' } })]
  for (const [path, content] of files)
    lines.push(
      JSON.stringify({
        key: 'file',
        value: { path, content: content.toString('base64'), encoding: 'base64' },
      }),
    )
  return `${lines.join('\n')}\n`
}

export async function commit(hub: HubProcess, repo: string, body: string): Promise<void> {
  const response = await fetch(`${hub.url}/api/models/${repo}/commit/main`, {
    method: 'POST',
    headers: { ...authorization(hub), 'Content-Type': 'application/x-ndjson' },
    body,
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`commit: ${response.status} ${text.slice(0, 500)}`)
}

/** Where to PUT an object of that sha256 in one piece. */
export async function lfsUploadUrl(
  hub: HubProcess,
  repo: string,
  oid: string,
  size: number,
): Promise<string> {
  const batch = (await call(hub, `/${repo}.git/info/lfs/objects/batch`, {
    operation: 'upload',
    transfers: ['basic'],
    hash_algo: 'sha256',
    objects: [{ oid, size }],
  })) as { objects: { actions?: { upload: { href: string } } }[] }
  const href = batch.objects[0]?.actions?.upload.href
  if (href === undefined) throw new Error(`no address to upload to: ${JSON.stringify(batch)}`)
  return href
}

/** Puts a name to an object that was uploaded. */
export function commitPointer(hub: HubProcess, repo: string, path: string, oid: string, size: number) {
  const header = JSON.stringify({ key: 'header', value: { summary: 'benchmark' } })
  const file = JSON.stringify({ key: 'lfsFile', value: { path, algo: 'sha256', oid, size } })
  return commit(hub, repo, `${header}\n${file}\n`)
}

export async function storeLfsFile(
  hub: HubProcess,
  repo: string,
  path: string,
  content: Buffer,
): Promise<void> {
  const oid = createHash('sha256').update(content).digest('hex')
  const url = await lfsUploadUrl(hub, repo, oid, content.length)
  const put = await fetch(url, { method: 'PUT', body: new Uint8Array(content) })
  if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`)
  await commitPointer(hub, repo, path, oid, content.length)
}
