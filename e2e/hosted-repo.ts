/**
 * A repository of a hub, seen from three sides: git over HTTP, the API, and the bare repository on the hub's disk. What
 * they tell must be the same after whatever a client did.
 */
import { join } from 'node:path'

import { openSqliteCatalog } from '@cairn/server/store/catalog/sqlite'
import type { GitClient } from '@cairn/testkit/git-client'
import { expect } from 'vitest'

import { fsck, git, listRepositories } from './fsck.ts'
import { isFull } from './generations.ts'
import { tokens, type HubProcess } from './hub-process.ts'
import { registryPrefix } from './mount.ts'

/** What a repository can be: the cells of the matrix have each. */
export interface Kind {
  type: 'model' | 'dataset' | 'space'
  isPrivate: boolean
  mount: 'root' | 'prefix'
}

const kind = (type: Kind['type'], isPrivate: boolean, mount: Kind['mount'] = 'root'): Kind => ({
  type,
  isPrivate,
  mount,
})

const tested = [kind('model', true), kind('dataset', false)]
const others = [
  kind('model', false),
  kind('dataset', true),
  kind('space', false),
  kind('space', true),
  kind('model', true, 'prefix'),
  kind('dataset', false, 'prefix'),
]

/** Those that this run goes through, with a name for people. */
export const kinds = (isFull ? [...tested, ...others] : tested).map((one) => ({
  ...one,
  label: `${one.isPrivate ? 'private' : 'public'} ${one.type} at the ${one.mount}`,
}))

export interface TreeEntry {
  type: string
  path: string
  oid: string
  size: number
  lfs?: { oid: string; size: number }
}

type Json = Record<string, unknown>
const treeFormat = '--format=%(objecttype) %(objectname) %(path)'

export class HostedRepo {
  readonly hub: Pick<HubProcess, 'url' | 'dataDir'>
  readonly kind: Kind
  readonly id: string
  /** Of its row, and so of its folder. */
  readonly rowId: string

  private constructor(hub: HostedRepo['hub'], kind: Kind, id: string, rowId: string) {
    this.hub = hub
    this.kind = kind
    this.id = id
    this.rowId = rowId
  }

  /** In the organization acme, which alice may administer. */
  static async create(
    hub: HostedRepo['hub'],
    kind: Kind,
    name: string,
    options: Json = {},
  ): Promise<HostedRepo> {
    const { type, isPrivate, mount } = kind
    const sdk = type === 'space' ? { sdk: 'static' } : {}
    const body = { organization: 'acme', name, type, private: isPrivate, ...sdk, ...options }
    const base = `${hub.url}${mount === 'root' ? '' : registryPrefix}`
    const { id } = await send<{ id: string }>(`${base}/api/repos/create`, { method: 'POST', body })
    return new HostedRepo(hub, kind, `acme/${name}`, id)
  }

  get #base(): string {
    return `${this.hub.url}${this.kind.mount === 'root' ? '' : registryPrefix}`
  }

  /** Where it is in a browser, and for git: `form` stands behind the name, and `id` may be an earlier one. */
  address(form = '', id = this.id): string {
    return `${this.#base}/${this.kind.type === 'model' ? '' : `${this.kind.type}s/`}${id}${form}`
  }

  /** The same with a token, as the password of anybody. */
  remote(token: string = tokens.alice, form = '', id = this.id): string {
    const url = new URL(this.address(form, id))
    url.username = 'anything'
    url.password = token
    return url.href
  }

  api<T = Json>(path = '', options: SendOptions = {}): Promise<T> {
    return send<T>(`${this.#base}/api/${this.kind.type}s/${this.id}${path}`, options)
  }

  /** Over HTTP, by alice; returns the new head. */
  async commit(files: Record<string, string>, summary = 'By HTTP', branch = 'main'): Promise<string> {
    const operations = Object.entries(files).map(([path, content]) => ({
      key: 'file',
      value: { path, content: Buffer.from(content).toString('base64'), encoding: 'base64' },
    }))
    const lines = [{ key: 'header', value: { summary } }, ...operations]
    const text = lines.map((line) => JSON.stringify(line)).join('\n')
    const path = `/commit/${encodeURIComponent(branch)}`
    return (await this.api<{ commitOid: string }>(path, { method: 'POST', text })).commitOid
  }

  async moveTo(name: string): Promise<void> {
    const body = { fromRepo: this.id, toRepo: `acme/${name}`, type: this.kind.type }
    await send(`${this.#base}/api/repos/move`, { method: 'POST', body })
    Object.assign(this, { id: `acme/${name}` })
  }

  async head(revision = 'main'): Promise<string> {
    return String((await this.api(`/revision/${encodeURIComponent(revision)}`))['sha'])
  }

  /** Every file of the revision, over all pages. */
  async tree(revision: string): Promise<TreeEntry[]> {
    const found: TreeEntry[] = []
    let next: string | null =
      `${this.#base}/api/${this.kind.type}s/${this.id}/tree/${encodeURIComponent(revision)}?recursive=true`
    while (next !== null) {
      const answer: Response = await fetch(next, { headers: { Authorization: `Bearer ${tokens.alice}` } })
      expect(answer.status, next).toBe(200)
      found.push(...((await answer.json()) as TreeEntry[]))
      next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1] ?? null
    }
    return found.filter(({ type }) => type === 'file')
  }

  /** The bare repository. */
  async bare(): Promise<string> {
    const all = await listRepositories(this.hub.dataDir)
    return (
      all.find((path) => path.endsWith(`${this.rowId}.git`)) ?? expect.unreachable(`${this.id} has no folder`)
    )
  }

  /** All that any visible ref leads to, on the hub's disk. */
  async objects(): Promise<string[]> {
    return objectsOf(await git(await this.bare(), ['rev-list', ...visible]))
  }

  /**
   * `git fsck --strict` finds nothing, a fresh mirror has every object and ref, and the API names the same branches,
   * tags and files as git does.
   */
  async expectAgreement(client: GitClient): Promise<void> {
    const mirror = `mirror-${crypto.randomUUID()}`
    const [complaints] = await Promise.all([
      fsck([await this.bare()]),
      client.git('', 'clone', '-q', '--mirror', this.remote(), mirror),
    ])
    expect(complaints).toEqual([])
    expect(objectsOf(await client.git(mirror, 'rev-list', ...visible))).toEqual(await this.objects())
    const refs = (
      await client.git(mirror, 'for-each-ref', '--format=%(refname) %(objectname) %(*objectname)')
    )
      .split('\n')
      .map((line) => line.split(' '))
    const told = await this.api<Record<'branches' | 'tags', { ref: string; targetCommit: string }[]>>('/refs')
    expect(
      [...told.branches, ...told.tags].map(({ ref, targetCommit }) => `${ref} ${targetCommit}`).toSorted(),
    ).toEqual(
      refs
        .filter(([name]) => /^refs\/(?:heads|tags)\//.test(name ?? ''))
        .map(([name, oid, peeled]) => `${name} ${peeled || oid}`)
        .toSorted(),
    )
    for (const { ref } of told.branches) {
      const listing = await client.git(
        mirror,
        '-c',
        'core.quotepath=off',
        'ls-tree',
        '-r',
        '-z',
        treeFormat,
        ref,
      )
      const files = await this.tree(ref.slice('refs/heads/'.length))
      expect(files.map(({ oid, path }) => `blob ${oid} ${path}`).toSorted(), ref).toEqual(
        listing
          .split('\0')
          .filter((line) => line.startsWith('blob '))
          .toSorted(),
      )
    }
  }
}

const visible = ['--objects', '--no-object-names', '--exclude=refs/cairn/*', '--all']

/** The lines of `rev-list --objects --no-object-names`, in an order of their own. */
export function objectsOf(listing: string): string[] {
  return listing.split('\n').filter(Boolean).toSorted()
}

/** A pull request's ref, which nothing but the hub makes: put there while it is down, it repairs its bare repository. */
export async function openPullRequests(hub: HubProcess, repos: readonly HostedRepo[]): Promise<void> {
  const heads = await Promise.all(repos.map((repo) => repo.head('side')))
  await hub.kill('SIGTERM')
  {
    const path = join(hub.dataDir, 'catalog.db')
    await using catalog = await openSqliteCatalog({ path, migrate: false, clock: Date.now })
    await catalog.tx(async (rows) => {
      for (const [index, { rowId }] of repos.entries()) {
        await rows.refs.swap(rowId, 'refs/pr/1', null, heads[index]!, Date.now())
        await rows.repos.update(rowId, { refsDirty: true })
      }
    })
  }
  await hub.restart()
}

interface SendOptions {
  method?: 'POST' | 'DELETE'
  body?: object
  text?: string
  token?: string
}

async function send<T>(url: string, { method, body, text, token = tokens.alice }: SendOptions): Promise<T> {
  const answer = await fetch(url, {
    method: method ?? 'GET',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': text === undefined ? 'application/json' : 'application/x-ndjson',
    },
    body: text ?? (body === undefined ? null : JSON.stringify(body)),
  })
  const said = await answer.text()
  expect(answer.ok, `${method ?? 'GET'} ${url}: ${answer.status} ${said}`).toBe(true)
  return (said === '' || said === 'OK' ? null : JSON.parse(said)) as T
}
