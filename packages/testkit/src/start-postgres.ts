/**
 * A PostgreSQL server of the tests' own: Debian's programs, a cluster in a temporary folder, a unix socket and no
 * port. It sorts text as people do, so that a column that should compare by code point and does not is found out.
 * Nothing it holds survives it: fsync is off.
 */
import { execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface TestPostgres extends AsyncDisposable {
  /** As a superuser without a password. Other users need one. */
  url: string
}

const START_MS = 60_000
const DEBIAN_ROOT = '/usr/lib/postgresql'

/** The folder with `initdb` and `postgres`, of the newest version; null when Debian's package is not installed. */
export async function findPostgres(): Promise<string | null> {
  const versions = await readdir(DEBIAN_ROOT).catch(() => [])
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
  return newest === undefined ? null : join(DEBIAN_ROOT, newest, 'bin')
}

export async function startPostgres(bin: string): Promise<TestPostgres> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-pg-'))
  const owner = await unprivileged()
  if (owner !== null) await chown(root, owner.uid, owner.gid)
  const data = join(root, 'data')
  const as = { ...owner, cwd: root, env: { PATH: process.env['PATH'], TMPDIR: root } }
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US']
  const cluster = ['--pgdata', data, '--username=cairn', '--auth=trust', '--no-sync', ...locale]
  await promisify(execFile)(join(bin, 'initdb'), cluster, as)
  await writeFile(join(data, 'pg_hba.conf'), 'local all cairn trust\nlocal all all scram-sha-256\n')

  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${root}`,
    'fsync=off',
    'max_connections=300',
  ]
  const command = [join(bin, 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  // The shell waits for the end of its stdin, which comes even when this process is killed.
  const script = '"$@" </dev/null & cat >/dev/null; kill -INT $!; wait $!'
  const shell = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
    ...as,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    shell.stdin.end()
    await ended
    await rm(root, { recursive: true, force: true })
  }
  try {
    await ready(shell.stderr)
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `postgres:///postgres?host=${root}&user=cairn`, [Symbol.asyncDispose]: stop }
}

/** The log has to be read all the time, or the server would wait for its reader. */
function ready(log: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const give = setTimeout(() => reject(new Error(`PostgreSQL does not start: ${said}`)), START_MS)
    log.on('data', (chunk: Buffer) => {
      if (said.length < 65_536) said += chunk.toString()
      const failed = said.includes('FATAL: ')
      if (!failed && !said.includes('ready to accept connections')) return
      clearTimeout(give)
      if (failed) reject(new Error(`PostgreSQL does not start: ${said}`))
      else resolve()
    })
  })
}

/** PostgreSQL refuses to run as root. Null: we are somebody else already. */
async function unprivileged(): Promise<{ uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const account = accounts.find(([name]) => name === 'postgres')
  if (account === undefined) throw new Error('There is no user postgres: install Debian’s postgresql')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}
