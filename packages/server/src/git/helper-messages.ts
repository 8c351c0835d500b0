/** What the server and its git helper process say to each other over Node's IPC. */

/** A socket starts with this many characters that name the call; after them it belongs to git. */
export const TICKET_LENGTH = 32

export type ToHelper =
  | {
      kind: 'spawn'
      ticket: string
      args: string[]
      cwd: string
      env: Record<string, string>
      stderrMaxBytes: number
      background: boolean
    }
  | { kind: 'kill'; ticket: string }

export type FromHelper =
  | { kind: 'exit'; ticket: string; code: number | null; signal: string | null; stderr: string }
  | { kind: 'failed'; ticket: string; message: string }
