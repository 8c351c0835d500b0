/**
 * Whatever people do, in whatever order, with collection in between and at the same time: what a ref reaches can be
 * downloaded, an upload can be committed within its time, and when everything is gone nothing is left.
 */
import { formatShard } from '@cairn/protocol/xet/shard'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { purgeDue } from '../../src/ops/deleted-repos.ts'
import { commitBody, createRepo, getJson, headOf, lfsFile, sha256, uploadLfs } from '../client.ts'
import { post } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes, xetLine, type XetFile } from '../xet-client.ts'
import { DAY_MS, HOUR_MS, startGcHub, type GcHub } from './gc-hub.ts'

const REPOS = 2
const BRANCHES = ['main', 'side', 'other']

let t: GcHub
let run = 0
beforeAll(async () => {
  t = await startGcHub()
})
afterAll(() => t[Symbol.asyncDispose]())

type Content = { kind: 'lfs'; text: string } | { kind: 'xet'; made: XetFile }

type Tree = ReadonlyMap<string, Content>

/** What a repository should have. */
interface Model {
  id: string
  branches: Map<string, Tree>
  /** Every commit that there ever was. */
  commits: Map<string, Tree>
}

const content = fc.nat(5)
const repo = fc.nat(REPOS - 1)
const branch = fc.constantFrom(...BRANCHES)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), repo, branch, content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('upload' as const), repo, content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), repo, branch, content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fork' as const), repo, branch, at: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), repo, branch }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('squash' as const), repo, branch }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge' as const), repo, content }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take' as const), repo, content }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      hours: fc.constantFrom(1, 20, 50, 15 * 24, 40 * 24),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('gc' as const),
      graceHours: fc.constantFrom(undefined, 0),
      /** Does not wait for its end. */
      beside: fc.boolean(),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

class Story {
  readonly #models: Model[] = []
  readonly #contents: Content[]
  #collecting: Promise<unknown> = Promise.resolve()

  constructor() {
    // Each story has contents of its own: the hub is the same.
    const seed = ++run
    this.#contents = [0, 1, 2, 3, 4, 5].map((n) =>
      n % 2 === 0
        ? { kind: 'lfs', text: `content ${seed} ${n}` }
        : { kind: 'xet', made: makeXetFile(seed * 10 + n) },
    )
  }

  async begin(): Promise<void> {
    for (let n = 0; n < REPOS; n++) {
      const id = await createRepo(t.hub, 'alice', `alice/story-${run}-${n}`)
      const head = await headOf(t.hub, 'alice', id)
      const empty: Tree = new Map()
      this.#models.push({ id, branches: new Map([['main', empty]]), commits: new Map([[head, empty]]) })
    }
  }

  async tell(step: Step): Promise<void> {
    if (step.do === 'wait') t.now += step.hours * HOUR_MS
    else if (step.do === 'gc') await this.#collect(step)
    else {
      const model = this.#models[step.repo]!
      if (step.do === 'put') await this.#put(model, step.branch, step.content)
      if (step.do === 'upload') await this.#upload(model, this.#contents[step.content]!)
      if (step.do === 'remove') await this.#remove(model, step.branch, step.content)
      if (step.do === 'fork') await this.#fork(model, step.branch, step.at)
      if (step.do === 'drop') await this.#drop(model, step.branch)
      if (step.do === 'squash') await this.#squash(model, step.branch)
      if (step.do === 'purge') await this.#purge(model, step.content)
      if (step.do === 'take') await this.#take(model, step.content)
    }
  }

  /** All files of all branches, byte for byte. */
  async check(): Promise<void> {
    await this.#collecting
    for (const { id, branches } of this.#models)
      for (const [name, tree] of branches)
        for (const [path, one] of tree)
          await t.expectContent(id, path, one.kind === 'lfs' ? one.text : one.made.content, name)
  }

  async end(): Promise<void> {
    await this.check()
    await t.expectWhole()
    for (const { id } of this.#models) {
      const [namespace, name] = id.split('/')
      await t.hub.hub.admin({ resource: 'repo', verb: 'delete', args: { namespace, name, now: true } })
    }
    await purgeDue(t.hub.hub.ops, 100)
    t.now += 3 * DAY_MS
    await t.gc({ graceHours: 0 })
    await t.gc({ graceHours: 0 })
    expect(await t.storedBytes()).toBe(0)
  }

  async #collect({ graceHours, beside }: Step & { do: 'gc' }): Promise<void> {
    await this.#collecting
    this.#collecting = t.gc(graceHours === undefined ? {} : { graceHours })
    if (!beside) await this.check()
  }

  async #upload({ id }: Model, one: Content): Promise<void> {
    if (one.kind === 'lfs') return void (await uploadLfs(t.hub, 'alice', id, one.text))
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    const xorb = await cas.fetch(`/v1/xorbs/default/${one.made.xorb.hash}`, postBytes(one.made.xorb.bytes))
    expect(xorb.status).toBe(200)
    const shard = await cas.fetch('/v1/shards', postBytes(formatShard(one.made.shard)))
    expect({ status: shard.status, text: await shard.text() }).toMatchObject({ status: 200 })
  }

  async #put(model: Model, name: string, content: number): Promise<void> {
    const one = this.#contents[content]!
    const tree = model.branches.get(name)
    if (tree === undefined) return
    await this.#upload(model, one)
    const path = `${content}.bin`
    const line = one.kind === 'lfs' ? lfsFile(path, one.text) : xetLine(path, one.made)
    await this.#commit(model, name, line, new Map(tree).set(path, one))
  }

  async #remove(model: Model, name: string, content: number): Promise<void> {
    const path = `${content}.bin`
    const tree = new Map(model.branches.get(name))
    if (!tree.delete(path)) return
    await this.#commit(model, name, { key: 'deletedFile', value: { path } }, tree)
  }

  async #commit(
    model: Model,
    name: string,
    line: { key: string; value: unknown },
    tree: Tree,
  ): Promise<void> {
    const path = `/api/models/${model.id}/commit/${name}`
    const { commitOid } = await getJson(t.hub, 'alice', path, commitBody([line]))
    model.branches.set(name, tree)
    model.commits.set(String(commitOid), tree)
  }

  /** A branch at any commit that there was; one whose contents are gone is refused. */
  async #fork(model: Model, name: string, at: number): Promise<void> {
    if (model.branches.has(name)) return
    const commits = [...model.commits]
    const [oid, tree] = commits[at % commits.length]!
    const path = `/api/models/${model.id}/branch/${name}`
    const answer = await t.hub.fetch('alice', path, post({ startingPoint: oid }))
    expect([200, 400, 404]).toContain(answer.status)
    if (answer.status === 200) model.branches.set(name, tree)
    else model.commits.delete(oid)
  }

  async #drop(model: Model, name: string): Promise<void> {
    if (name === 'main' || !model.branches.delete(name)) return
    const path = `/api/models/${model.id}/branch/${name}`
    expect((await t.hub.fetch('alice', path, { method: 'DELETE' })).status).toBe(200)
  }

  async #squash(model: Model, name: string): Promise<void> {
    const tree = model.branches.get(name)
    if (tree === undefined) return
    const path = `/api/models/${model.id}/super-squash/${name}`
    const { commitOid } = await getJson(t.hub, 'alice', path, post({}))
    model.commits.set(String(commitOid), tree)
  }

  /** Out of every branch, and of the commits that lead to them. */
  async #purge(model: Model, content: number): Promise<void> {
    const one = this.#contents[content]!
    const oid = one.kind === 'lfs' ? sha256(one.text) : one.made.sha256
    const deletions = { sha: [oid], rewriteHistory: true }
    const answer = await t.hub.fetch('alice', `/api/models/${model.id}/lfs-files/batch`, post({ deletions }))
    expect(answer.status).toBe(200)
    for (const trees of [model.branches, model.commits])
      for (const [key, tree] of trees) {
        const rest = new Map(tree)
        if (!rest.delete(`${content}.bin`)) continue
        // The old commits have it still, and what they name is gone.
        if (trees === model.commits) trees.delete(key)
        else trees.set(key, rest)
      }
    for (const [name, tree] of model.branches)
      model.commits.set(await headOf(t.hub, 'alice', model.id, name), tree)
  }

  /** From the other repository, as huggingface_hub copies files. */
  async #take(model: Model, content: number): Promise<void> {
    const other = this.#models.find((one) => one !== model)!
    const one = this.#contents[content]!
    const oid = one.kind === 'lfs' ? sha256(one.text) : one.made.sha256
    const path = `${content}.bin`
    const isThere = [...other.branches.values()].some((tree) => tree.has(path))
    const target = { type: 'model', name: model.id }
    const request = { target, files: [{ sha256: oid, filename: path, xetHash: null }] }
    const answer = await getJson<{ failed?: unknown[] }>(
      t.hub,
      'alice',
      `/api/models/${other.id}/lfs-files/duplicate`,
      post(request),
    )
    if (!isThere) return
    expect(answer.failed ?? []).toEqual([])
    const line = one.kind === 'lfs' ? lfsFile(path, one.text) : xetLine(path, one.made)
    await this.#commit(model, 'main', line, new Map(model.branches.get('main')).set(path, one))
  }
}

test(
  'nothing that is reachable is ever lost, and nothing else stays for ever',
  { timeout: 120_000 },
  async () => {
    const runs = Number(process.env['CAIRN_GC_RUNS'] ?? 6)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }), async (steps) => {
        const story = new Story()
        await story.begin()
        for (const step of steps) await story.tell(step)
        await story.end()
      }),
      { numRuns: runs, endOnFailure: true },
    )
  },
)
