/** A repository of one test, changed through the public API. */
import { createHash } from 'node:crypto'

import type { TestHub } from '@cairn/testkit/start-hub'
import { expect } from 'vitest'

type Account = Parameters<TestHub['fetch']>[0]

export interface HistoryRepo {
  /** `/api/models/{id}`. */
  api: string
  call(method: string, path: string, body?: unknown, account?: Account): Promise<Response>
  json<T>(path: string, account?: Account): Promise<T>
  /** A commit of texts, deletions (null) and uploaded LFS objects; returns its id. */
  commit(
    files: Record<string, string | null | { oid: string; size: number }>,
    options?: { summary?: string; revision?: string },
  ): Promise<string>
  /** Uploads an LFS object. */
  upload(text: string): Promise<{ oid: string; size: number }>
}

export async function makeRepo(
  hub: TestHub,
  id: string,
  options: { account?: Account; private?: boolean } = {},
): Promise<HistoryRepo> {
  const owner = options.account ?? 'alice'
  const [organization, name] = id.split('/')
  const created = await hub.fetch(owner, '/api/repos/create', {
    method: 'POST',
    body: JSON.stringify({ name, organization, private: options.private ?? false }),
  })
  expect(created.status).toBe(200)
  const api = `/api/models/${id}`
  const call: HistoryRepo['call'] = (method, path, body, account = owner) =>
    hub.fetch(account, path.startsWith('/api/') ? path : api + path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return {
    api,
    call,
    async json<T>(path: string, account?: Account) {
      const response = await call('GET', path, undefined, account)
      expect(response.status, path).toBe(200)
      return (await response.json()) as T
    },
    async commit(files, { summary = 'change', revision = 'main' } = {}) {
      const lines = [
        { key: 'header', value: { summary } },
        ...Object.entries(files).map(([path, content]) => {
          if (content === null) return { key: 'deletedFile', value: { path } }
          if (typeof content === 'object')
            return { key: 'lfsFile', value: { path, algo: 'sha256', ...content } }
          const value = { path, content: Buffer.from(content).toString('base64'), encoding: 'base64' }
          return { key: 'file', value }
        }),
      ]
      const body = lines.map((line) => JSON.stringify(line)).join('\n')
      const response = await call('POST', `/commit/${encodeURIComponent(revision)}`, body)
      expect(response.status, await response.clone().text()).toBe(200)
      return ((await response.json()) as { commitOid: string }).commitOid
    },
    async upload(text) {
      const oid = createHash('sha256').update(text).digest('hex')
      const object = { oid, size: Buffer.byteLength(text) }
      const batch = await hub.fetch(owner, `/${id}.git/info/lfs/objects/batch`, {
        method: 'POST',
        body: JSON.stringify({ operation: 'upload', transfers: ['basic'], objects: [object] }),
      })
      const { objects } = (await batch.json()) as {
        objects: { actions?: { upload: { href: string } } }[]
      }
      const href = objects[0]?.actions?.upload.href
      if (href !== undefined) expect((await fetch(href, { method: 'PUT', body: text })).status).toBe(200)
      return object
    },
  }
}
