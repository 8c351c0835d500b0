/** What a client does to a hub, step by step; each step must succeed. */
import { createHash } from 'node:crypto'

import type { TestHub } from '@cairn/testkit/start-hub'
import { expect } from 'vitest'

import { post } from './refusal.ts'

type Account = Parameters<TestHub['fetch']>[0]

export async function getJson<T = Record<string, unknown>>(
  hub: TestHub,
  account: Account,
  path: string,
  init?: RequestInit,
): Promise<T> {
  const answer = await hub.fetch(account, path, init)
  const text = await answer.text()
  expect(answer.status, `${path}: ${text}`).toBe(200)
  return JSON.parse(text) as T
}

/** `id` is `ns/name`; returns it. */
export async function createRepo(
  hub: TestHub,
  account: Account,
  id: string,
  options: Record<string, unknown> = {},
): Promise<string> {
  const [organization, name] = id.split('/')
  await getJson(hub, account, '/api/repos/create', post({ name, organization, ...options }))
  return id
}

/** The lines of a commit; the first is made of `header`. */
export function commitBody(
  operations: readonly { key: string; value: unknown }[],
  header: Record<string, unknown> = {},
): RequestInit {
  const lines = [{ key: 'header', value: { summary: 'change', description: '', ...header } }, ...operations]
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  }
}

export function file(path: string, content: string | Uint8Array): { key: string; value: unknown } {
  return {
    key: 'file',
    value: { path, content: Buffer.from(content).toString('base64'), encoding: 'base64' },
  }
}

/** Commits to a model's branch and returns the new head. */
export async function commit(
  hub: TestHub,
  account: Account,
  id: string,
  operations: readonly { key: string; value: unknown }[],
  header: Record<string, unknown> = {},
  revision = 'main',
): Promise<string> {
  const path = `/api/models/${id}/commit/${encodeURIComponent(revision)}`
  const { commitOid } = await getJson(hub, account, path, commitBody(operations, header))
  return String(commitOid)
}

/** The commit that a model's revision stands at. */
export async function headOf(hub: TestHub, account: Account, id: string, revision = 'main'): Promise<string> {
  const { sha } = await getJson(hub, account, `/api/models/${id}/revision/${encodeURIComponent(revision)}`)
  return String(sha)
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface BatchObject {
  oid: string
  size: number
  authenticated?: boolean
  actions?: Record<string, { href: string; header?: Record<string, string> }>
  error?: { code: number; message: string }
}

export function batchBody(
  operation: 'upload' | 'download',
  objects: readonly { oid: unknown; size: unknown }[],
  transfers: readonly string[] = ['basic', 'multipart'],
): RequestInit {
  return {
    ...post({ operation, transfers, objects, hash_algo: 'sha256' }),
    headers: { 'Content-Type': 'application/vnd.git-lfs+json', Accept: 'application/vnd.git-lfs+json' },
  }
}

export function batch(
  hub: TestHub,
  account: Account,
  id: string,
  ...body: Parameters<typeof batchBody>
): Promise<{ transfer: string; objects: BatchObject[] }> {
  return getJson(hub, account, `/${id}.git/info/lfs/objects/batch`, batchBody(...body))
}

/** Uploads one object the `basic` way and returns its sha256. The address gets no credential. */
export async function uploadLfs(
  hub: TestHub,
  account: Account,
  id: string,
  content: string | Uint8Array,
): Promise<string> {
  const object = { oid: sha256(content), size: Buffer.byteLength(content) }
  const { objects } = await batch(hub, account, id, 'upload', [object])
  const href = objects[0]?.actions?.['upload']?.href
  if (href === undefined) return object.oid
  expect((await fetch(href, { method: 'PUT', body: Buffer.from(content) })).status).toBe(200)
  return object.oid
}

export function lfsFile(path: string, content: string | Uint8Array): { key: string; value: unknown } {
  return {
    key: 'lfsFile',
    value: { path, algo: 'sha256', oid: sha256(content), size: Buffer.byteLength(content) },
  }
}
