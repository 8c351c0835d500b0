import { defineConfig } from 'vitest/config'

import { findPostgres } from './packages/testkit/src/start-postgres.ts'

// Where PostgreSQL is not installed, the unit tests say so with their skipped ones, and CI fails.
const postgres = await findPostgres()

// Their environments weigh gigabytes.
const onlyInMatrix = ['e2e/transformers.e2e.ts', 'e2e/js-libraries.e2e.ts']

export default defineConfig({
  test: {
    globalSetup: ['./test/require-node-24.ts', './test/offer-postgres.ts'],
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'perf/harness/*.test.ts', 'test/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['packages/server/test/**/*.test.ts', 'packages/cli/test/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      ...(postgres === null
        ? []
        : [
            {
              extends: true as const,
              test: {
                name: 'integration-postgres',
                include: ['packages/server/test/**/*.test.ts'],
                // What is refused never comes as far as the rows, and a run is cut off between them, not within.
                exclude: [
                  'packages/server/test/hostile/**',
                  'packages/server/test/faults/**',
                  'packages/server/test/gc/cut-off.test.ts',
                  'packages/server/test/lfs-migration.test.ts',
                ],
                testTimeout: 30_000,
                env: { CAIRN_TEST_DATABASE: 'postgres' },
              },
            },
          ]),
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          exclude: process.env['CAIRN_MATRIX'] === 'full' ? [] : onlyInMatrix,
          testTimeout: 240_000,
          hookTimeout: 600_000,
          globalSetup: ['./e2e/clients.ts', './e2e/libraries.ts'],
        },
      },
      ...(postgres === null
        ? []
        : [
            {
              extends: true as const,
              test: {
                name: 'e2e-postgres',
                include: ['e2e/**/*.e2e.ts'],
                // What these look at does not depend on the rows' place.
                exclude: [
                  'e2e/start.e2e.ts',
                  'e2e/contention.e2e.ts',
                  'e2e/repository.e2e.ts',
                  'e2e/crashes.e2e.ts',
                  'e2e/cross-table.e2e.ts',
                  'e2e/git*.e2e.ts',
                  'e2e/hostile.e2e.ts',
                  'e2e/cells.e2e.ts',
                  'e2e/left-behind.e2e.ts',
                  'e2e/multipart.e2e.ts',
                  'e2e/rate-limits.e2e.ts',
                  'e2e/proxy.e2e.ts',
                  'e2e/browser.e2e.ts',
                  'e2e/llama-cpp.e2e.ts',
                  'e2e/ollama.e2e.ts',
                  'e2e/rust.e2e.ts',
                  'e2e/datasets.e2e.ts',
                  'e2e/tables.e2e.ts',
                  'e2e/transformers.e2e.ts',
                  'e2e/js-libraries.e2e.ts',
                  'e2e/snippets.e2e.ts',
                ],
                testTimeout: 240_000,
                hookTimeout: 600_000,
                globalSetup: ['./e2e/clients.ts'],
                env: { CAIRN_TEST_DATABASE: 'postgres' },
              },
            },
          ]),
    ],
  },
})
