/**
 * A hub with everybody who asks in it: accounts, memberships and tokens of every kind, and for the owner `alice` as for
 * the organization `acme` a public and a private repository.
 */
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'

import { commitBody, createRepo, file, getJson, lfsFile, uploadLfs } from '../client.ts'
import { post } from '../refusal.ts'
import type { PrincipalName } from './policy.ts'

export const PREFIX = '/acme/lab/huggingface'

type Token = `hf_${string}`

export interface Asker {
  /** null: none is sent. */
  token: Token | null
  /** Whose token it is; where a copy would go. */
  account: string
  /** Who owns the repositories that its row is about. */
  namespace: 'alice' | 'acme'
}

export interface World extends AsyncDisposable {
  hub: TestHub
  askers: Readonly<Record<PrincipalName, Asker>>
}

export const NAMES = { public: 'open', private: 'shut' } as const

export async function startWorld(): Promise<World> {
  const hub = await startHub()
  const operate = (resource: string, verb: string, args: object) => hub.hub.admin({ resource, verb, args })
  const members = {
    viewer: 'read',
    helper: 'contributor',
    maker: 'contributor',
    writer: 'write',
    boss: 'admin',
    left: 'read',
  }
  for (const name of [...Object.keys(members), 'gone', 'second'])
    await operate('user', 'create', { name, email: `${name}@example.org` })
  await operate('org', 'create', { name: 'other' })
  for (const [user, role] of Object.entries(members))
    await operate('member', 'create', { org: 'acme', user, role })
  // Who makes a repository as a user, and leaves nothing to chance: alice has no role in the organization.
  await operate('member', 'delete', { org: 'acme', user: 'alice' })
  await operate('registry', 'create', { registry: 'acme/lab' })

  let made = 0
  const token = async (user: string, role: string, scopes?: string[], days?: number): Promise<Token> => {
    const args = {
      user,
      name: `t${made++}`,
      role,
      ...(scopes === undefined ? {} : { scopes }),
      ...(days === undefined ? {} : { expiresInDays: days }),
    }
    return ((await operate('token', 'create', args)) as { token: Token }).token
  }
  const maker = await token('maker', 'write')
  for (const [as, place] of [
    ['alice', '/alice'],
    [maker, '/acme'],
    [maker, `${PREFIX}/acme`],
  ] as const)
    for (const [visibility, name] of Object.entries(NAMES))
      await fill(hub, as, `${place}/${name}`, visibility === 'private')
  await createRepo(hub, 'alice', 'alice/else', { private: true })

  const askers: Record<PrincipalName, Asker> = {
    anonymous: { token: null, account: 'bob', namespace: 'alice' },
    'an unknown token': of('alice', `hf_${'x'.repeat(34)}`),
    'a revoked token': of('alice', await revoked()),
    'an expired token': of('alice', await token('alice', 'write', undefined, 1e-9)),
    'a token of a deleted account': of('gone', await orphan()),
    stranger: { ...of('bob', TOKENS.bob), namespace: 'alice' },
    'stranger, read token': { ...of('bob', await token('bob', 'read')), namespace: 'alice' },
    'stranger, fine-grained: everything': {
      ...of('bob', await token('bob', 'fineGrained', ['*=repo.write,user.social.likes.write'])),
      namespace: 'alice',
    },
    owner: of('alice', TOKENS.alice),
    'owner, read token': of('alice', TOKENS.reader),
    'owner, fine-grained: the account': await fine('alice=repo.write'),
    'owner, fine-grained: read the account': await fine('alice=repo.content.read'),
    'owner, fine-grained: these repositories': await fine('alice/open=repo.write', 'alice/shut=repo.write'),
    'owner, fine-grained: read these repositories': await fine(
      'alice/open=repo.content.read',
      'alice/shut=repo.content.read',
    ),
    'owner, fine-grained: another repository': await fine('alice/else=repo.write'),
    'owner, fine-grained: discussions': await fine('*=discussion.write'),
    'member: read': of('viewer', await token('viewer', 'write')),
    'member: contributor': of('helper', await token('helper', 'write')),
    'member: contributor, its creator': of('maker', maker),
    'member: write': of('writer', await token('writer', 'write')),
    'member: write, read token': of('writer', await token('writer', 'read')),
    'member: write, fine-grained: another organization': of(
      'writer',
      await token('writer', 'fineGrained', ['other=repo.write']),
    ),
    'member: admin': of('boss', await token('boss', 'write')),
    'former member': of('left', await token('left', 'write')),
    administrator: of('root', TOKENS.root),
    'administrator, read token': of('root', await token('root', 'read')),
    'administrator, fine-grained: read everything': of(
      'root',
      await token('root', 'fineGrained', ['*=repo.content.read']),
    ),
    'administrator, fine-grained: metrics': of(
      'root',
      await token('root', 'fineGrained', ['*=hub.metrics.read']),
    ),
  }
  await operate('member', 'delete', { org: 'acme', user: 'left' })
  return { hub, askers, [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose]() }

  function of(account: string, text: Token): Asker {
    return { token: text, account, namespace: account === 'alice' || account === 'gone' ? 'alice' : 'acme' }
  }
  async function fine(...scopes: string[]): Promise<Asker> {
    return of('alice', await token('alice', 'fineGrained', scopes))
  }
  async function revoked(): Promise<Token> {
    const text = await token('alice', 'write')
    await operate('token', 'delete', { user: 'alice', token: `t${made - 1}` })
    return text
  }
  async function orphan(): Promise<Token> {
    const text = await token('gone', 'write')
    await operate('user', 'delete', { name: 'gone' })
    return text
  }
}

/** A repository with a file in git and one in LFS. `address`: prefix of a registry, namespace and name. */
async function fill(hub: TestHub, as: 'alice' | Token, address: string, isPrivate: boolean): Promise<void> {
  const [, prefix = '', organization = '', name = ''] = /^(.*)\/([^/]+)\/([^/]+)$/.exec(address) ?? []
  const create = post({ name, organization, private: isPrivate })
  await getJson(hub, as, `${prefix}/api/repos/create`, create)
  await uploadLfs(hub, as, address.slice(1), 'anything')
  const files = [file('README.md', 'hello'), file('a', 'a'), lfsFile('model.gguf', 'anything')]
  await getJson(hub, as, `${prefix}/api/models/${organization}/${name}/commit/main`, commitBody(files))
}

/** A request with whatever token the asker has. */
export function ask({ hub }: World, { token }: Asker, path: string, init: RequestInit): Promise<Response> {
  return hub.fetch(token, path, init)
}

/** What an answer is in the words of the table; with its status and code when it is none of them. */
export async function outcomeOf(answer: Response, statuses: readonly number[]): Promise<string> {
  const text = await answer.text()
  const code = answer.headers.get('X-Error-Code')
  const message = answer.headers.get('X-Error-Message') ?? ''
  if (code === 'RepoNotFound' && [401, 404].includes(answer.status)) return 'absent'
  if (answer.status === 401 && code === null)
    return message === 'Invalid credentials in Authorization header' ? 'bad' : 'login'
  if (statuses.includes(answer.status)) return 'yes'
  if (answer.status === 403 && code === 'Forbidden') return 'no'
  return `${answer.status} ${code} ${text.slice(0, 200)}`
}
