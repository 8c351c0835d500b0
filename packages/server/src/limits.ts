/** Limits of the server alone. Those that both ends of a wire must agree on are in protocol/src/limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

/** One chunk of a streamed blob: at this size two reused buffers cost less CPU than sendfile (toolchain.md §5). */
export const READ_BUFFER_BYTES = 256 * KIB
/** Idle read buffers kept for the next reader: 32 MiB. Readers beyond that allocate and drop. */
export const READ_BUFFERS_IDLE_MAX = 128
/** What an upload gathers before it writes; smaller and larger both measured slower (toolchain.md §5). */
export const GATHER_BUFFER_BYTES = MIB
/** Idle gather buffers kept for the next upload: 16 MiB. */
export const GATHER_BUFFERS_IDLE_MAX = 16
/** Parts of one multipart upload, as in S3. */
export const UPLOAD_PARTS_MAX = 10_000
/** Files that a listing of parts looks into at once. */
export const PART_LIST_CONCURRENCY = 16
