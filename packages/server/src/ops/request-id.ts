/** The id of the request that code runs for, as its client got it. Whatever is logged meanwhile carries it. */
import { AsyncLocalStorage } from 'node:async_hooks'

export const requestIds = new AsyncLocalStorage<string>()
