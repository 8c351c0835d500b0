/** The server's own limits. Those that both ends of a wire must agree on are in protocol/src/limits.ts. */

const MIB = 1024 * 1024

/** A value list or a multi-row insert, in parameters a statement; SQLite takes 32,766, PostgreSQL 65,535. */
export const SQL_PARAMETERS_MAX = 8000
/** Prepared statements kept by one SQLite connection. */
export const SQL_STATEMENTS_CACHED_MAX = 512
/** How long a connection waits for a lock of another process before it gives up. */
export const SQL_LOCK_WAIT_MS = 5000
/** Page cache of one SQLite connection. */
export const SQLITE_CACHE_MAX_BYTES = 32 * MIB
/** The write-ahead log is cut back to this size once it was copied into the database. */
export const SQLITE_WAL_KEPT_MAX_BYTES = 64 * MIB
/** Transactions that follow one another give way to the event loop after this long: node:sqlite never yields. */
export const TRANSACTION_BURST_MS = 8
/** Why a job failed, as kept with its event. */
export const OUTBOX_REASON_LENGTH_MAX = 1000
