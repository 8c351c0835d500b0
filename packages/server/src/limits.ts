/** The server's own limits, each with its unit. What both ends must agree on is in protocol/limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

/** git processes that run one command each; more callers wait. */
export const GIT_PROCESSES_MAX = 16
/** Callers that wait for one of them; more are refused. */
export const GIT_QUEUE_MAX = 512
export const GIT_TIMEOUT_MS = 120_000
export const GIT_FSCK_TIMEOUT_MS = 30 * 60_000
/** A git process that has not opened its socket by then never will. */
export const GIT_START_TIMEOUT_MS = 20_000
/** What is kept of a git process's stderr: the beginning. */
export const GIT_STDERR_MAX_BYTES = 16 * KIB
/** Output of one command that is read whole: a listing of refs or commits. */
export const GIT_OUTPUT_MAX_BYTES = 64 * MIB
/** Resident `cat-file` processes, one a repository. */
export const CAT_FILE_PROCESSES_MAX = 24
export const CAT_FILE_IDLE_MS = 60_000
/** A `cat-file` that owes an answer and has not sent a byte for so long is replaced. */
export const CAT_FILE_STALL_MS = 60_000
/** Requests written to one `cat-file` ahead of its answers; further ones wait in memory. */
export const CAT_FILE_PIPELINE_MAX = 256
/** `<oid> <type> <size>`, or the request and a word. */
export const CAT_FILE_HEADER_MAX_BYTES = 256
/** An object that is read whole unless the caller says otherwise. */
export const GIT_OBJECT_READ_MAX_BYTES = 64 * MIB
/** A commit of up to so many objects is written loose, a larger one as a pack (stack.md §2). */
export const LOOSE_OBJECTS_MAX = 8
/** Smaller objects are compressed where they are; larger ones on a thread, so that they do not block the loop. */
export const DEFLATE_INLINE_MAX_BYTES = 64 * KIB
/** Objects that share a short oid. */
export const EXPAND_CANDIDATES_MAX = 64
/** Commits of one page of a log. */
export const LOG_COMMITS_MAX = 10_000
/** Paths of one look for their last commits: a page of a listing. */
export const LAST_COMMITS_PATHS_MAX = 10_000
/** Up to so many paths git compares itself; above, it is given their folder. */
export const LAST_COMMITS_PATHSPECS_MAX = 16
/** One commit's headers and message, or one path, in the output of `git log`. */
export const GIT_LOG_TOKEN_MAX_BYTES = 8 * MIB
/** Complaints of one `git fsck` that are reported. */
export const FSCK_LINES_MAX = 1000
