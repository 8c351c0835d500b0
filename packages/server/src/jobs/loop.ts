/** What goes on beside requests for as long as the hub runs. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Jobs extends AsyncDisposable {
  /** Waits for what runs, or breaks it off where it may take long, and begins nothing more. */
  stop(): Promise<void>
}

/** `run` ends soon after its signal. */
export function startLoop(run: (signal: AbortSignal) => Promise<void>): Jobs {
  const stopping = new AbortController()
  const loop = run(stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await loop
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

/** Ends early when the signal comes, and does not keep the process alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
