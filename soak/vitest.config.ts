/** What takes minutes: `npm run soak`. Not part of `npm test`. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['soak/**/*.soak.ts', 'e2e/crashes.e2e.ts', 'packages/server/test/faults/*.test.ts'],
    env: { CAIRN_CRASH_ROUNDS: '200', CAIRN_FAULT_BYTES: '3000000' },
    globalSetup: ['./test/require-node-24.ts'],
    reporters: ['default', './test/closing-line.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    // Each measures how long others wait.
    fileParallelism: false,
  },
})
