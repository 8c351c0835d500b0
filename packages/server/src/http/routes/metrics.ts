import { readMetrics } from '../../ops/metrics.ts'
import type { Route } from '../route.ts'

export const metricsRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/metrics',
    hub: null,
    async handle({ ops, principal }) {
      const { type, text } = await readMetrics(ops, principal)
      return { headers: { 'Content-Type': type, 'Cache-Control': 'no-store' }, text }
    },
  },
]
