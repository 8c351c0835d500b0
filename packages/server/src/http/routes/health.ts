import type { Route } from '../route.ts'

export const healthRoutes: readonly Route[] = [
  { method: 'GET', path: '/health', hub: null, handle: async () => ({ json: { status: 'ok' } }) },
]
