/**
 * The hub's part in a backup: it closes the gate for removals, and then writes one state of the catalog into a file.
 * Rows name only what is durable, so everything which that state names is on disk, and stays there until whoever
 * copies it has done or was not heard of for a while.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { HubError } from '@cairn/protocol/errors'

import { BACKUP_LEASE_MS, BACKUPS_AT_ONCE_MAX } from '../limits.ts'
import { makeDirDurable } from '../store/durable.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import { noteWork } from './audit.ts'
import { newId, type OpsContext } from './context.ts'

export interface BackupState {
  id: string
  /** The name of the file among the data directory's snapshots; null while it is written. */
  snapshot: string | null
}

interface Running {
  state: BackupState
  failure: unknown
  written: Promise<void>
}

export class Backups implements AsyncDisposable {
  readonly #ctx: OpsContext
  readonly #path: string
  readonly #running = new Map<string, Running>()

  private constructor(ctx: OpsContext, path: string) {
    this.#ctx = ctx
    this.#path = path
  }

  /** Takes away what a crash left in the folder of snapshots. */
  static async open(ctx: OpsContext, snapshotsPath: string): Promise<Backups> {
    await rm(snapshotsPath, { recursive: true, force: true })
    return new Backups(ctx, snapshotsPath)
  }

  async create(principal: Principal): Promise<BackupState> {
    assertInstanceAdmin(principal)
    for (const id of this.#running.keys()) if (!this.#extend(id)) await this.#end(id)
    if (this.#running.size >= BACKUPS_AT_ONCE_MAX)
      throw new HubError('Conflict', 'Other backups are under way: try again when they are done')
    const id = newId(this.#ctx)
    const running: Running = { state: { id, snapshot: null }, failure: null, written: Promise.resolve() }
    this.#running.set(id, running)
    running.written = this.#write(running).catch((error: unknown) => void (running.failure = error))
    return running.state
  }

  /** To be asked often: says when the snapshot is there, and keeps the gate closed. */
  async extend(principal: Principal, id: string): Promise<BackupState> {
    assertInstanceAdmin(principal)
    const running = this.#running.get(id)
    if (running === undefined || !this.#extend(id))
      throw new HubError('Conflict', 'The hub knows nothing of this backup any more: begin another one')
    if (running.failure !== null) throw running.failure
    return running.state
  }

  /** `copied`: what the backup has, which is whole; null: it was broken off. */
  async delete(
    principal: Principal,
    id: string,
    copied: { files: number; sizeBytes: number } | null,
  ): Promise<BackupState> {
    assertInstanceAdmin(principal)
    await this.#end(id)
    if (copied !== null) await noteWork(this.#ctx, principal, 'backup', copied)
    return { id, snapshot: null }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#running.keys()) await this.#end(id)
  }

  async #write({ state }: Running): Promise<void> {
    await this.#ctx.removals.close(state.id, this.#ctx.clock() + BACKUP_LEASE_MS)
    await makeDirDurable(this.#path)
    const name = `${state.id}.db`
    await this.#ctx.catalog.copyTo(join(this.#path, name))
    state.snapshot = name
  }

  #extend(id: string): boolean {
    return this.#ctx.removals.extend(id, this.#ctx.clock() + BACKUP_LEASE_MS)
  }

  async #end(id: string): Promise<void> {
    const running = this.#running.get(id)
    this.#running.delete(id)
    await running?.written
    this.#ctx.removals.open(id)
    await rm(join(this.#path, `${id}.db`), { force: true })
  }
}
