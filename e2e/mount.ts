/** Where a hub is mounted for a client: at its root, or at the prefix of a registry that is made for it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { isFull } from './generations.ts'
import { cairnBin, cleanEnv, tokens, type HubProcess } from './hub-process.ts'

export const registryPrefix = '/acme/staging/huggingface'

/** Where the libraries on top of the clients are tried: their addresses are made by the clients. */
export const libraryMounts = isFull ? (['root', 'prefix'] as const) : (['root'] as const)

/** The path below which this hub's clients work, without a trailing slash. */
export async function mountPath(hub: HubProcess, mount: 'root' | 'prefix'): Promise<string> {
  if (mount === 'root') return ''
  await administer(hub, 'registry', 'create', 'acme/staging')
  return registryPrefix
}

/** `cairn admin …`, of the running hub. */
export async function administer(hub: HubProcess, ...args: string[]): Promise<void> {
  const all = [cairnBin, 'admin', ...args, '--data', hub.dataDir]
  await promisify(execFile)(process.execPath, all, { env: cleanEnv() })
}

export const manyFilesCount = 1_100

/** A public model with more files than one page of its tree has. */
export async function makeManyFiles(endpoint: string, repo: string): Promise<void> {
  const [organization, name] = repo.split('/')
  await post(`${endpoint}/api/repos/create`, JSON.stringify({ organization, name }))
  const lines: unknown[] = [{ key: 'header', value: { summary: 'Many files' } }]
  for (let i = 0; i < manyFilesCount; i += 1) {
    const content = Buffer.from(`${i}\n`).toString('base64')
    lines.push({ key: 'file', value: { path: `many/${i}.txt`, content, encoding: 'base64' } })
  }
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  await post(`${endpoint}/api/models/${repo}/commit/main`, body)
}

/** What no client of an old generation has a call for. */
export async function post(url: string, body: string, token: string = tokens.alice): Promise<void> {
  const headers = { Authorization: `Bearer ${token}` }
  const response = await fetch(url, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`)
  await response.body?.cancel()
}
