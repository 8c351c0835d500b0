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

/** How long open requests may go on after a stop was asked for. */
export const DRAIN_MS = 20_000
/** How long a stop may take in all: the drain, then what the backends need to close. */
export const STOP_MS = DRAIN_MS + 5_000

/** A token string that an operator chose. Generated ones have 37 characters. */
export const TOKEN_LENGTH_MIN = 4
/** Foreign tokens may be JWTs; a header block has 16 KiB. */
export const TOKEN_LENGTH_MAX = 2048
/** Also what deleting an account touches in one transaction. */
export const TOKENS_PER_ACCOUNT_MAX = 500
export const TOKEN_NAME_LENGTH_MAX = 128
/** A hundred years: later dates are typing errors. */
export const TOKEN_LIFETIME_MAX_DAYS = 36_500
export const ACCOUNT_ID_LENGTH_MAX = 64
export const FULLNAME_LENGTH_MAX = 256
/** RFC 5321 §4.5.3.1.3. */
export const EMAIL_LENGTH_MAX = 254
/** Members that one bootstrap file or one deletion of an organization may touch in one transaction. */
export const MEMBERS_PER_ORG_MAX = 1000

export const BOOTSTRAP_FILE_MAX_BYTES = 4 * 1024 * 1024
/** Users and organizations of a bootstrap file, each: all of it is one transaction. */
export const BOOTSTRAP_ACCOUNTS_MAX = 500
/** secrets.json, server.json and admin-token are small; a larger file is not one of ours. */
export const STATE_FILE_MAX_BYTES = 64 * 1024
/** Rows of one listing by an administrator. */
export const ADMIN_LIST_MAX = 1000
