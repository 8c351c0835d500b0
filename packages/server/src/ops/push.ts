/**
 * `git push`: commands first, then the pack into a place of its own, then the same rules and the same door as a commit
 * over HTTP. Nothing is visible, or in the repository at all, before everything has been looked at; the client is told
 * «ok» when the refs are durable.
 */
import { HubError } from '@cairn/protocol/errors'
import { ReceiveReader, type ReceiveReport, type RefCommand } from '@cairn/protocol/git/receive-request'
import { PUSH_COMMANDS_MAX } from '@cairn/protocol/limits'

import { PackRefusedError } from '../git/git-store.ts'
import type { Incoming } from '../git/incoming.ts'
import { PUSH_REFS_PER_TRANSACTION } from '../limits.ts'
import type { RefRow, RepoRow } from '../store/catalog/catalog.ts'
import {
  assertUser,
  RepoMovedError,
  repoFor,
  repoNotFound,
  type Principal,
  type RepoLocator,
} from './access.ts'
import { principalNow } from './bearer.ts'
import type { OpsContext } from './context.ts'
import { clashes, landRefs, RefMovedError } from './land.ts'
import { assertCards, assertContents, ContentsRefusedError, peelTips } from './push-contents.ts'
import { commandProblem } from './push-policy.ts'
import { assertRoom } from './quotas.ts'

/** Refs that a client may see and push to. */
export async function refsForPush(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
): Promise<Pick<RefRow, 'name' | 'oid'>[]> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const refs = await ctx.catalog.rows.refs.list(repo.id)
  return refs.filter(({ name }) => !name.startsWith('refs/cairn/'))
}

export interface PushOutcome {
  report: ReceiveReport
  /** For people; the client prints them. */
  lines: readonly string[]
}

export interface Push {
  capabilities: ReadonlySet<string>
  /** Null when the client has nothing to push: it only asks whether it may. */
  run: (() => Promise<PushOutcome>) | null
}

/** Who may, and which refs. The pack stays unread until `run`, which refuses by its outcome and not by throwing. */
export async function openPush(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Push> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const chunks = body[Symbol.asyncIterator]()
  const reader = new ReceiveReader()
  let isUnderWay = false
  try {
    for (let isRead = false; !isRead;) {
      const next = await chunks.next()
      if (next.done === true) throw new HubError('BadRequest', 'The push ends before its last command')
      isRead = reader.push(next.value)
    }
    const { capabilities, commandCount } = reader.request
    if (commandCount === 0) return { capabilities, run: null }
    const pushing = new Pushing(ctx, principal, locator, repo, reader.request, signal)
    isUnderWay = true
    return { capabilities, run: () => pushing.run(following(reader.rest(), chunks)) }
  } finally {
    if (!isUnderWay) await chunks.return?.()
  }
}

class Pushing {
  readonly #ctx: OpsContext
  readonly #principal: Principal
  readonly #locator: RepoLocator
  readonly #repo: RepoRow
  readonly #request: ReceiveReader['request']
  readonly #signal: AbortSignal
  /** Why each ref was refused, so far. */
  readonly #problems = new Map<string, string>()
  readonly #lines: string[] = []
  #unpackProblem: string | null = null

  constructor(
    ctx: OpsContext,
    principal: Principal,
    locator: RepoLocator,
    repo: RepoRow,
    request: ReceiveReader['request'],
    signal: AbortSignal,
  ) {
    this.#ctx = ctx
    this.#principal = principal
    this.#locator = locator
    this.#repo = repo
    this.#request = request
    this.#signal = signal
  }

  async run(pack: AsyncIterable<Uint8Array>): Promise<PushOutcome> {
    if (this.#request.hasOptions) this.#lines.push('Push options have no effect here.')
    try {
      await this.#judgeCommands()
      await this.#receive(pack)
    } catch (error) {
      this.#refuseAll(error)
    }
    await drain(pack)
    const { commands } = this.#request
    const refs = commands.map(({ name }) => ({ name, problem: this.#problems.get(name) ?? null }))
    return { report: { unpackProblem: this.#unpackProblem, refs }, lines: this.#lines }
  }

  async #judgeCommands(): Promise<void> {
    const { commands, commandCount, capabilities } = this.#request
    if (commandCount > PUSH_COMMANDS_MAX)
      throw new ContentsRefusedError('too many refs', [
        `${commandCount} refs in one push are too many: push at most ${PUSH_COMMANDS_MAX} at a time.`,
      ])
    if (capabilities.has('atomic') && commandCount > PUSH_REFS_PER_TRANSACTION)
      throw new ContentsRefusedError('too many refs', [
        `An atomic push changes at most ${PUSH_REFS_PER_TRANSACTION} refs.`,
      ])
    const refs = await this.#refs()
    for (const command of commands) {
      const problem = commandProblem(this.#repo, command) ?? staleProblem(command, refs)
      if (problem !== null) this.#problems.set(command.name, problem)
    }
    this.#giveUpIfAtomic()
  }

  async #receive(pack: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#open().length === 0) return
    const { accountId } = assertUser(this.#principal)
    await using incoming = await this.#ctx.git.receive(this.#repo.id, accountId, this.#signal)
    const hasPack = this.#request.commands.some(({ next }) => next !== null)
    if (hasPack) {
      await incoming.unpack(pack, this.#signal)
      await assertRoom(this.#ctx, this.#repo, await incoming.size())
    }
    const packedAt = await this.#ctx.git.lastFullRepack(this.#repo.id)
    const pointers = hasPack ? await this.#judgeContents(incoming) : []
    await this.#ctx.repoQueue.run(this.#repo.id, async () => {
      // What no ref reaches may have been removed since then, and the push may count on it.
      if ((await this.#ctx.git.lastFullRepack(this.#repo.id)) !== packedAt)
        throw new HubError('Conflict', 'the repository was packed meanwhile: push again')
      await this.#land(incoming, pointers)
    })
  }

  async #judgeContents(incoming: Incoming): Promise<string[]> {
    const tips = [...new Set(this.#open().flatMap(({ next }) => next ?? []))]
    if (tips.length === 0) return []
    const known = [...new Set((await this.#refs()).values())]
    const pointers = await assertContents({ ctx: this.#ctx, repo: this.#repo, incoming, tips, known })
    const peeled = await peelTips(incoming, tips)
    for (const { name, next } of this.#open()) {
      if (next === null) continue
      const commit = peeled.get(next) ?? null
      if (commit === null) this.#problems.set(name, 'it does not lead to a commit')
      else if (name.startsWith('refs/heads/') && commit !== next)
        this.#problems.set(name, 'a branch points at a commit, not at a tag')
    }
    await assertCards(this.#ctx, this.#repo, incoming, this.#open())
    this.#giveUpIfAtomic()
    return pointers
  }

  /** In the repository's queue. */
  async #land(incoming: Incoming, pointers: readonly string[]): Promise<void> {
    // Read again: rights, repository and refs may have changed while the pack arrived.
    const principal = await principalNow(this.#ctx, this.#principal)
    const repo = await repoFor(this.#ctx, principal, this.#locator, 'write')
    if (repo.id !== this.#repo.id) throw repoNotFound(this.#principal, this.#locator)
    const refs = await this.#refs()
    for (const command of this.#open()) {
      const problem = commandProblem(repo, command) ?? staleProblem(command, refs)
      if (problem !== null) this.#problems.set(command.name, problem)
    }
    const known = [...refs.keys()]
    for (const [name, { message }] of clashes(known, this.#open())) this.#problems.set(name, message)
    this.#giveUpIfAtomic()
    // What is deleted makes room for the others.
    const open = this.#open().toSorted((a, b) => Number(a.next !== null) - Number(b.next !== null))
    if (open.length === 0) return
    await incoming.accept()
    for (let at = 0; at < open.length; at += PUSH_REFS_PER_TRANSACTION)
      await this.#landSome(open.slice(at, at + PUSH_REFS_PER_TRANSACTION), at === 0 ? pointers : [])
  }

  /** All in one transaction; when that is refused and it need not be all or none, the halves by themselves. */
  async #landSome(changes: readonly RefCommand[], pointers: readonly string[]): Promise<void> {
    // The row is read anew each time: the step before has changed it.
    const repo = (await this.#ctx.catalog.rows.repos.get(this.#repo.id)) ?? this.#repo
    try {
      const landing = { repo, principal: this.#principal, changes, reason: 'push', pointers }
      await landRefs(this.#ctx, landing)
    } catch (error) {
      if (!(error instanceof HubError) && !(error instanceof RefMovedError)) throw error
      if (changes.length === 1 || this.#request.capabilities.has('atomic')) {
        for (const { name } of changes) this.#problems.set(name, error.message)
        return
      }
      const half = Math.ceil(changes.length / 2)
      await this.#landSome(changes.slice(0, half), pointers)
      await this.#landSome(changes.slice(half), pointers)
    }
  }

  #open(): RefCommand[] {
    return this.#request.commands.filter(({ name }) => !this.#problems.has(name))
  }

  async #refs(): Promise<Map<string, string>> {
    const refs = await this.#ctx.catalog.rows.refs.list(this.#repo.id)
    return new Map(refs.map(({ name, oid }) => [name, oid]))
  }

  #giveUpIfAtomic(): void {
    if (this.#problems.size > 0 && this.#request.capabilities.has('atomic'))
      for (const { name } of this.#open()) this.#problems.set(name, 'atomic push failed')
  }

  #refuseAll(error: unknown): void {
    let reason = 'the push failed'
    if (error instanceof ContentsRefusedError) {
      reason = error.message
      this.#lines.push(...error.lines)
    } else if (error instanceof PackRefusedError) {
      this.#unpackProblem = error.message
      reason = 'unpacker error'
      this.#ctx.log.info({ err: error, repoId: this.#repo.id }, 'a pack was refused')
    } else if (error instanceof HubError || error instanceof RepoMovedError) {
      reason = error.message
      // git cuts what it says of a ref to a line.
      if (error instanceof HubError && error.code === 'QuotaExceeded') this.#lines.push(error.message)
    } else if (!this.#signal.aborted) {
      this.#ctx.log.error({ err: error, repoId: this.#repo.id }, 'a push failed')
    }
    for (const { name } of this.#open()) this.#problems.set(name, reason)
  }
}

/** A compare-and-swap, as `--force-with-lease` asks for; a plain push is one, too. */
function staleProblem({ name, old }: RefCommand, refs: ReadonlyMap<string, string>): string | null {
  return (refs.get(name) ?? null) === old ? null : 'the ref has moved meanwhile: fetch first'
}

/** The client listens only when it has sent all. */
async function drain(pack: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of pack) continue
  } catch {
    // It went away, or sends too much. What there is to say about its refs is known.
  }
}

async function* following(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
