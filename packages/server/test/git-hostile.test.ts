/** Pushes that no git makes. Each is refused in words, and the repository, its objects included, stays as it was. */
import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'

import { encodePacket, FLUSH } from '@cairn/protocol/git/pkt-line'
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import {
  commandsOf,
  commitOf,
  deltaOf,
  encodeEntry,
  NO_OID,
  oidOf,
  packOf,
  pushRaw,
  treeOf,
  type PackEntry,
} from './pack-builder.ts'

const ID = 'alice/target'
let hub: TestHub
let head: string
let repos: string
beforeAll(async () => {
  hub = await startHub()
  repos = join(hub.dataDir, 'repos')
  await createRepo(hub, 'alice', ID)
  head = await commit(hub, 'alice', ID, [file('a', 'a')])
})
afterAll(() => hub[Symbol.asyncDispose]())

/** Everything below repos/, but for the empty folders that hold what is under way. */
async function filesOnDisk(): Promise<string[]> {
  const found = await readdir(repos, { recursive: true })
  return found.toSorted()
}

async function refused(body: Buffer, headers: Record<string, string> = {}) {
  const before = await filesOnDisk()
  const answer = await expectUnchanged(hub, () => pushRaw(hub, ID, Buffer.from(body), headers))
  expect(await filesOnDisk()).toEqual(before)
  expect(await readdir(join(repos, 'incoming'))).toEqual([])
  return answer
}

/** A push of one new branch; the report must refuse it. */
async function refusedPack(next: string, pack: Buffer): Promise<string> {
  const { status, said } = await refused(Buffer.concat([commandsOf([{ next, name: 'refs/heads/x' }]), pack]))
  expect([status, said]).toEqual([200, expect.stringMatching(/^ng refs\/heads\/x \S/m)])
  return said
}

const blob = Buffer.from('a file\n')
const blobOid = oidOf('blob', blob)

/** A commit of a tree with these entries, and its pack. */
function commitWith(
  entries: readonly [string, string, string][],
  others: readonly PackEntry[] = [{ type: 'blob', bytes: blob }],
): { next: string; pack: Buffer } {
  const tree = treeOf(entries)
  const made = commitOf(oidOf('tree', tree))
  const pack = packOf([{ type: 'commit', bytes: made }, { type: 'tree', bytes: tree }, ...others])
  return { next: oidOf('commit', made), pack }
}

test('what is built here is taken when nothing is wrong with it', async () => {
  const { next, pack } = commitWith([['100644', 'file', blobOid]])
  const id = await createRepo(hub, 'alice', 'alice/fine')
  const body = Buffer.concat([commandsOf([{ next, name: 'refs/heads/x' }]), pack])
  expect(await pushRaw(hub, id, body)).toEqual({ status: 200, said: 'unpack ok\nok refs/heads/x\n' })
  // Without side bands, and without a report.
  const { next: again, pack: same } = commitWith([['100755', 'file', blobOid]])
  for (const [capabilities, name, expected] of [
    ['report-status', 'refs/heads/plain', /unpack ok/],
    ['delete-refs', 'refs/heads/silent', /^$/],
  ] as const) {
    const command = commandsOf([{ next: again, name }], capabilities)
    const answer = await hub.fetch('alice', `/${id}/git-receive-pack`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-git-receive-pack-request', 'Content-Encoding': 'gzip' },
      body: gzipSync(Buffer.concat([command, same])),
    })
    expect(await answer.text()).toMatch(expected)
  }
  const { branches } = await getJson<{ branches: { name: string }[] }>(hub, null, `/api/models/${id}/refs`)
  expect(branches.map(({ name }) => name)).toEqual(['main', 'plain', 'silent', 'x'])
})

describe('packs', () => {
  const good = commitWith([['100644', 'file', blobOid]])
  const base = Buffer.from('base '.repeat(20))
  const baseEntry: PackEntry = { type: 'blob', bytes: base }

  test('that are cut off, changed on the way, or no pack', async () => {
    const changed = Buffer.from(good.pack)
    changed[40]! ^= 0xff
    const otherCount = packOf([{ type: 'blob', bytes: blob }], 2)
    for (const pack of [
      good.pack.subarray(0, good.pack.length - 30),
      good.pack.subarray(0, 20),
      good.pack.subarray(0, 3),
      Buffer.alloc(0),
      changed,
      otherCount,
      Buffer.from('PACK\0\0\0\x09\0\0\0\x01', 'latin1'),
      Buffer.from('hello, this is not a pack'),
    ])
      expect(await refusedPack(good.next, pack)).toMatch(/^unpack (?!ok)\S/m)
  })

  test('that lack what their commits need', async () => {
    expect(await refusedPack('1'.repeat(40), packOf([]))).toContain('lacks objects')
    const { next, pack } = commitWith([['100644', 'file', '2'.repeat(40)]], [])
    expect(await refusedPack(next, pack)).toMatch(/^unpack (?!ok)/m)
  })

  test('with deltas that lead nowhere, in a circle, or too deep', async () => {
    const nowhere = packOf([{ type: 'refDelta', bytes: deltaOf(10, 1, 'x'), base: '3'.repeat(40) }])
    expect(await refusedPack(good.next, nowhere)).toContain('unresolved delta')
    const [a, b] = [`${'a'.repeat(100)}`, `${'b'.repeat(100)}`].map((text) =>
      oidOf('blob', Buffer.from(text)),
    )
    const circle = packOf([
      { type: 'refDelta', bytes: deltaOf(100, 1, 'x'), base: b! },
      { type: 'refDelta', bytes: deltaOf(100, 1, 'y'), base: a! },
    ])
    expect(await refusedPack(good.next, circle)).toContain('unresolved delta')
    const chain: PackEntry[] = [baseEntry]
    let distance = encodeEntry(baseEntry).length
    for (let depth = 0; depth < 10_000; depth += 1) {
      // Each is its base with another end; the lengths stay the same.
      const text = depth.toString(36).padStart(5)
      const bytes = Buffer.from([100, 100, 0x90, 95, 5, ...Buffer.from(text)])
      const entry: PackEntry = { type: 'ofsDelta', bytes, base: distance }
      chain.push(entry)
      distance = encodeEntry(entry).length
    }
    expect(await refusedPack(good.next, packOf(chain))).toContain('chain of deltas')
  }, 60_000)

  test('whose objects are enormous', async () => {
    const gigabytes = 3 * 2 ** 30
    const bomb = packOf([
      { type: 'blob', bytes: Buffer.alloc(65_535) },
      {
        type: 'ofsDelta',
        bytes: deltaOf(65_535, 50_000, 'x'),
        base: encodeEntry({ type: 'blob', bytes: Buffer.alloc(65_535) }).length,
      },
    ])
    expect(await refusedPack(good.next, bomb)).toContain('larger than 64 MiB')
    const claim = packOf([{ type: 'tree', bytes: Buffer.alloc(10), declaredBytes: gigabytes }])
    expect(await refusedPack(good.next, claim)).toContain('larger than 64 MiB')
    const short = packOf([{ type: 'blob', bytes: Buffer.alloc(10), declaredBytes: gigabytes }])
    expect(await refusedPack(good.next, short)).toMatch(/^unpack (?!ok)/m)
    const large = Buffer.alloc(200 << 20)
    const { next, pack } = commitWith(
      [['100644', 'zeros.bin', oidOf('blob', large)]],
      [{ type: 'blob', bytes: large }],
    )
    expect(await refusedPack(next, pack)).toContain('zeros.bin (200.0 MiB)')
    const many = Buffer.from(good.pack)
    many.writeUInt32BE(0xffffffff, 8)
    expect(await refusedPack(good.next, many)).toContain('objects: push in steps')
  }, 60_000)
})

describe('objects that git fsck complains about', () => {
  const modules = Buffer.from('[submodule "x"]\n\turl = -u./payload\n\tpath = x\n')
  const modulesEntry: PackEntry = { type: 'blob', bytes: modules }
  test.each<[string, [string, string, string][], PackEntry[]?]>([
    ['.git', [['100644', '.git', blobOid]]],
    ['.GIT', [['100644', '.GIT', blobOid]]],
    ['git~1', [['100644', 'git~1', blobOid]]],
    ['.git with what macOS does not see', [['100644', '.g\u200cit', blobOid]]],
    ['..', [['100644', '..', blobOid]]],
    ['a slash', [['100644', 'a/b', blobOid]]],
    ['no name', [['100644', '', blobOid]]],
    [
      'an entry twice',
      [
        ['100644', 'a', blobOid],
        ['100644', 'a', blobOid],
      ],
    ],
    [
      'an order of its own',
      [
        ['100644', 'b', blobOid],
        ['100644', 'a', blobOid],
      ],
    ],
    ['a mode of zeros', [['000644', 'a', blobOid]]],
    ['an entry that points nowhere', [['100644', 'a', NO_OID]]],
    [
      'a submodule whose address is an option',
      [['100644', '.gitmodules', oidOf('blob', modules)]],
      [modulesEntry],
    ],
    ['a link as .gitmodules', [['120000', '.gitmodules', blobOid]]],
  ])('a tree with %s', async (_name, entries, others) => {
    const { next, pack } = commitWith(entries, others)
    expect(await refusedPack(next, pack)).toMatch(/^unpack (?!ok)\S/m)
  })

  test('commits and tags', async () => {
    const { next, pack } = commitWith([['100644', 'file', blobOid]])
    const tree = treeOf([['100644', 'file', blobOid]])
    const common: PackEntry[] = [
      { type: 'tree', bytes: tree },
      { type: 'blob', bytes: blob },
    ]
    const text = commitOf(oidOf('tree', tree)).toString()
    for (const bad of [
      text.replace(/author.*\n/, ''),
      text.replace('1700000000', '01700000000'),
      text.replace('<ana@', '<<ana@'),
      text.replace('by hand', 'by\0hand'),
      'hello',
    ]) {
      const bytes = Buffer.from(bad)
      const made = packOf([{ type: 'commit', bytes }, ...common])
      expect(await refusedPack(oidOf('commit', bytes), made), bad).toMatch(/^unpack (?!ok)\S/m)
    }
    expect(pack.length).toBeGreaterThan(0)
    const tag = Buffer.from(`object ${next}\ntag v1\n\nno type\n`)
    const tagged = packOf([
      { type: 'commit', bytes: commitOf(oidOf('tree', tree)) },
      ...common,
      { type: 'tag', bytes: tag },
    ])
    expect(await refusedPack(oidOf('tag', tag), tagged)).toMatch(/^unpack (?!ok)\S/m)
  })

  test('folders as deep as they come, and paths as long', async () => {
    for (const [depth, name] of [
      [200, 'd'],
      [20_000, 'd'],
      [20, 'd'.repeat(200)],
    ] as const) {
      const trees: PackEntry[] = []
      let oid = blobOid
      for (let level = 0; level < depth; level += 1) {
        const bytes = treeOf([[level === 0 ? '100644' : '40000', name, oid]])
        trees.push({ type: 'tree', bytes })
        oid = oidOf('tree', bytes)
      }
      const made = commitOf(oid)
      const pack = packOf([{ type: 'commit', bytes: made }, { type: 'blob', bytes: blob }, ...trees])
      expect(await refusedPack(oidOf('commit', made), pack)).toMatch(/deeper than|longer than/)
    }
  })
})

describe('requests', () => {
  const one = { next: '1'.repeat(40), name: 'refs/heads/x' }
  test.each<[string, Buffer, Record<string, string>, number]>([
    ['no packet', Buffer.from('hello'), {}, 400],
    ['nothing', Buffer.alloc(0), {}, 400],
    ['a packet longer than git allows', Buffer.from('fff5x'), {}, 400],
    ['commands that never end', commandsOf([one]).subarray(0, -4), {}, 400],
    ['a command of one oid', Buffer.concat([encodePacket(`${NO_OID} refs/heads/x`), FLUSH]), {}, 400],
    ['a command without a name', Buffer.concat([encodePacket(`${NO_OID} ${NO_OID} `), FLUSH]), {}, 400],
    ['a ref twice', commandsOf([one, one]), {}, 400],
    ['a certificate', Buffer.concat([encodePacket('push-cert\0atomic'), FLUSH]), {}, 400],
    ['another type', commandsOf([one]), { 'Content-Type': 'application/octet-stream' }, 415],
    ['no gzip', commandsOf([one]), { 'Content-Encoding': 'gzip' }, 400],
    [
      'a gzip bomb of commands',
      gzipSync(Buffer.concat(Array.from({ length: 1100 }, () => encodePacket('x'.repeat(65_000))))),
      { 'Content-Encoding': 'gzip' },
      400,
    ],
  ])('of %s', async (_name, body, headers, status) => {
    const answer = await refused(body, headers)
    expect([answer.status, answer.said]).toEqual([status, expect.stringMatching(/\S/)])
  })

  test('a gzip bomb behind good commands', async () => {
    const bomb = gzipSync(Buffer.concat([commandsOf([one]), Buffer.alloc(80 << 20)]))
    const { said } = await refused(bomb, { 'Content-Encoding': 'gzip' })
    expect(said).toMatch(/^ng refs\/heads\/x \S/m)
  })

  test('names that no ref may have, and refs that are nobody else’s', async () => {
    for (const name of [
      'main',
      'HEAD',
      'refs/heads/a..b',
      'refs/heads/-x',
      'refs/heads/HEAD',
      'refs/heads/a.lock',
      `refs/heads/${'1'.repeat(40)}`,
      'refs/tags/../../x',
      `refs/heads/${'x'.repeat(300)}`,
      'refs/cairn/keep/1',
      'refs/cairn',
      'refs/pr/1',
      'refs/heads/main/below',
    ] as const) {
      const { said } = await refused(Buffer.concat([commandsOf([{ next: head, name }]), packOf([])]))
      expect(said, name).toContain(`ng ${name} `)
    }
    const { said } = await refused(commandsOf([{ old: head, next: NO_OID, name: 'refs/heads/main' }]))
    expect(said).toContain('ng refs/heads/main The default branch cannot be deleted')
  })

  test('more refs than a push may change', async () => {
    const many = Array.from({ length: 60_000 }, (_, n) => ({ next: head, name: `refs/tags/${n}` }))
    const { said } = await refused(Buffer.concat([commandsOf(many), packOf([])]))
    expect(said).toContain('60000 refs in one push are too many')
  })

  test('the empty one that asks whether it may', async () => {
    expect(await refused(FLUSH as Buffer)).toEqual({ status: 200, said: '' })
  })
})

test('thousands of refs land in steps, and more are not taken', async () => {
  const id = await createRepo(hub, 'alice', 'alice/tags')
  const tip = await commit(hub, 'alice', id, [file('a', 'a')])
  const names = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => ({ next: tip, name: `refs/tags/t${from + n}` }))
  const many = await pushRaw(hub, id, Buffer.concat([commandsOf(names(2500)), packOf([])]))
  expect(many.said.match(/^ok /gm)).toHaveLength(2500)
  const atomic = commandsOf(names(1001, 5000), 'report-status side-band-64k atomic')
  expect((await pushRaw(hub, id, Buffer.concat([atomic, packOf([])]))).said).toContain('at most 1000 refs')
  const { tags } = await getJson<{ tags: unknown[] }>(hub, null, `/api/models/${id}/refs`)
  expect(tags).toHaveLength(2500)
  expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([])
})

test('a name that fills a packet, and names of folders, are refused in words', async () => {
  const tree = treeOf([])
  const made = commitOf(oidOf('tree', tree))
  const pack = packOf([
    { type: 'commit', bytes: made },
    { type: 'tree', bytes: tree },
  ])
  const next = oidOf('commit', made)
  const names = ['refs/heads', 'refs/tags', 'refs/pr', `refs/heads/${'x'.repeat(65_400)}`]
  const commands = commandsOf(names.map((name) => ({ next, name })))
  const { status, said } = await refused(Buffer.concat([commands, pack]))
  expect(status).toBe(200)
  for (const name of names) expect(said).toContain(`ng ${name} `)
})

test('many refs that cannot be there cost few transactions', async () => {
  const id = await createRepo(hub, 'alice', 'alice/clashes')
  const next = await commit(hub, 'alice', id, [file('a', 'a')])
  const { catalog } = hub.hub.ops
  const tx = catalog.tx.bind(catalog)
  let transactions = 0
  catalog.tx = (work) => {
    transactions += 1
    return tx(work)
  }
  const names = Array.from({ length: 1500 }, (_, n) => `refs/heads/main/${n}`)
  const fine = ['refs/tags/a', 'refs/tags/b/c']
  const commands = commandsOf([...names, ...fine, 'refs/tags/b'].map((name) => ({ next, name })))
  const { said } = await pushRaw(hub, id, Buffer.concat([commands, packOf([])]))
  catalog.tx = tx
  expect(said.match(/^ng refs\/heads\/main\/\d+ .*'refs\/heads\/main' exists$/gm)).toHaveLength(1500)
  expect(said).toMatch(/^ok refs\/tags\/a$[^]*^ok refs\/tags\/b\/c$[^]*^ng refs\/tags\/b .*exists$/m)
  // With those of the jobs that the commit before has left.
  expect(transactions).toBeLessThan(50)
})

test('a token that was revoked while the push or the commit arrived lands nothing', async () => {
  const id = await createRepo(hub, 'alice', 'alice/revoked')
  const before = await commit(hub, 'alice', id, [file('a', 'a')])
  const { next, pack } = commitWith([['100644', 'file', blobOid]])
  const push = Buffer.concat([commandsOf([{ next, name: 'refs/heads/late' }]), pack])
  const lines = [
    { key: 'header', value: { summary: 'late' } },
    { key: 'file', value: { path: 'late', content: 'late' } },
  ]
  const asked = [
    [`/${id}/git-receive-pack`, 'application/x-git-receive-pack-request', push, /ng refs.*revoked/],
    [
      `/api/models/${id}/commit/main`,
      'application/x-ndjson',
      lines.map((line) => JSON.stringify(line)).join('\n'),
      /revoked/,
    ],
  ] as const
  for (const [path, type, body, refusal] of asked) {
    const made = (await hub.hub.admin({
      resource: 'token',
      verb: 'create',
      args: { user: 'alice', name: 'short-lived' },
    })) as Record<string, string>
    const headers = { Authorization: `Bearer ${made['token']}`, 'Content-Type': type }
    const one = request(`${hub.url}${path}`, { method: 'POST', headers })
    const bytes = Buffer.from(body)
    one.write(bytes.subarray(0, -20))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await hub.hub.admin({ resource: 'token', verb: 'delete', args: { user: 'alice', token: 'short-lived' } })
    const said = new Promise<string>((resolve, reject) => {
      one.on('error', reject)
      one.on('response', (answer) => void text(answer).then(resolve, reject))
    })
    one.end(bytes.subarray(-20))
    expect(await said).toMatch(refusal)
  }
  const { branches } = await getJson<{ branches: { name: string; targetCommit: string }[] }>(
    hub,
    null,
    `/api/models/${id}/refs`,
  )
  expect(branches.map(({ name, targetCommit }) => [name, targetCommit])).toEqual([['main', before]])
})

test('a push to a repository that gets another name meanwhile is told so', async () => {
  const id = await createRepo(hub, 'alice', 'alice/leaving')
  const { next, pack } = commitWith([['100644', 'file', blobOid]])
  const push = Buffer.concat([commandsOf([{ next, name: 'refs/heads/late' }]), pack])
  const one = request(`${hub.url}/${id}/git-receive-pack`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${TOKENS.alice}`,
      'Content-Type': 'application/x-git-receive-pack-request',
    },
  })
  one.write(push.subarray(0, -20))
  await new Promise((resolve) => setTimeout(resolve, 300))
  const body = { fromRepo: id, toRepo: 'alice/left', type: 'model' }
  const moved = await hub.fetch('alice', '/api/repos/move', { method: 'POST', body: JSON.stringify(body) })
  expect(moved.status).toBe(200)
  const said = new Promise<string>((resolve, reject) => {
    one.on('error', reject)
    one.on('response', (answer) => void text(answer).then(resolve, reject))
  })
  one.end(push.subarray(-20))
  expect(await said).toMatch(/ng refs\/heads\/late .*moved to alice\/left/)
})
