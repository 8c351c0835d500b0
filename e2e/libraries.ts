/**
 * Provisions the libraries that people use on top of the clients, beside them under `.cache/clients/`. The heavy ones
 * come with `npm run matrix` only; elsewhere they are null and their tests are skipped.
 */
import { execFile } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { TestProject } from 'vitest/node'

import { attempt, build, environment } from './clients.ts'
import { isFull } from './generations.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    libraries: Libraries
  }
}

/** Absolute paths; null is one that this machine could not get, or that only the matrix asks for. */
export interface Libraries {
  /** A folder whose `node_modules` has isomorphic-git. */
  isomorphicGit: string | null
  /** `bin/python` with datasets, pandas, polars, dask and DuckDB over the newest huggingface_hub. */
  pythonTables: string | null
  /** The same with datasets 4.1 over huggingface_hub 0.36. Matrix only. */
  pythonDatasets41: string | null
  /** The same with transformers, sentence-transformers and torch. Matrix only. */
  pythonTransformers: string | null
  /** The same with DuckDB and its httpfs. Matrix only. */
  pythonHttpfs: string | null
  /** A folder whose `node_modules` has transformers.js and @huggingface/gguf. Matrix only. */
  jsFolder: string | null
}

const here = dirname(fileURLToPath(import.meta.url))
const installMaxMs = 8 * 60_000
const run = promisify(execFile)

export default async function provisionLibraries(project: TestProject): Promise<void> {
  const python = (what: string, name: string): Promise<string | null> =>
    attempt(what, () => environment(`py-${name}`, `requirements-${name}.txt`))
  const heavy = isFull
    ? {
        pythonDatasets41: await python('datasets 4.1', 'datasets-4.1'),
        pythonTransformers: await python('transformers and torch', 'transformers'),
        pythonHttpfs: await python("DuckDB's httpfs", 'duckdb-httpfs'),
        jsFolder: await attempt('transformers.js', () => npmFolder('js-libraries')),
      }
    : { pythonDatasets41: null, pythonTransformers: null, pythonHttpfs: null, jsFolder: null }
  project.provide('libraries', {
    isomorphicGit: await attempt('isomorphic-git', () => npmFolder('isomorphic-git')),
    pythonTables: await python('datasets and pandas', 'tables'),
    ...heavy,
  })
}

async function npmFolder(name: string): Promise<string> {
  const requirements = `requirements-${name}.json`
  return build(name, requirements, '', async (place) => {
    await copyFile(join(here, requirements), join(place, 'package.json'))
    // Their install scripts would download programs from elsewhere.
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']
    await run('npm', args, { cwd: place, timeout: installMaxMs })
  })
}
