/** The server's own limits, each with its unit. What both ends must agree on is in protocol/limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

/** Bodies of ordinary JSON and form requests. */
export const JSON_BODY_MAX_BYTES = 4 * MIB
/** Nesting of such a body; the deepest that a client sends has five levels. */
export const JSON_DEPTH_MAX = 32
/** A preupload call carries up to 512 bytes of base64 for each of its files. */
export const PREUPLOAD_BODY_MAX_BYTES = 16 * MIB
/** An LFS batch of `LFS_BATCH_OBJECTS_MAX` objects. */
export const LFS_BATCH_BODY_MAX_BYTES = 1 * MIB
/** A path in a URL; percent-encoding triples it at worst. */
export const URL_MAX_BYTES = 15 * KIB
/** Segments of an unencoded revision that are tried as a ref name, e.g. `refs/pr/1/README.md`. */
export const REVISION_SEGMENTS_MAX = 16
/** A body that arrives slower than this over `BODY_STALL_MS` is given up. */
export const BODY_THROUGHPUT_MIN_BYTES_PER_S = 512
export const BODY_STALL_MS = 60_000
/** The rest of a refused body that is read to keep the connection; beyond it the connection is closed. */
export const UNREAD_BODY_DRAIN_MAX_BYTES = 16 * MIB
/** A connection on which nothing of an answer without a length moves for so long is cut; git says something every 5 s. */
export const STREAM_IDLE_MS = 5 * 60_000
/** How long a body that nobody wants is read once its answer is out. */
export const UNREAD_BODY_DRAIN_MS = 30_000
/** The head of a request, from its first byte. */
export const HEADERS_MS = 30_000
/**
 * An answer of which the client takes nothing for this long, at most twice, is given up. Data loaders read with long
 * pauses; they resume with a range.
 */
export const RESPONSE_STALL_MS = 150_000
/** Bodies that are gathered in memory, of all requests together; and what each may have beside that. */
export const BODIES_GATHERED_MAX_BYTES = 512 * MIB
export const BODY_GATHERED_FREE_BYTES = 64 * KIB
/** Longer lines of NDJSON wait for one another. */
export const LINE_AT_ONCE_MAX_BYTES = 256 * KIB
/** Blank lines of one NDJSON body; a few stand where clients join lines. */
export const BLANK_LINES_MAX = 1000
/** Longer than any client's idle pool (hf_xet keeps connections 60 s). */
export const KEEP_ALIVE_MS = 90_000
/** How long open requests may go on after a stop was asked for. */
export const DRAIN_MS = 20_000
/** Sent requests are told apart by this; a longer one of the caller's is replaced. */
export const REQUEST_ID_MAX_CHARS = 128
/** Inline contents gathered in memory before they are written as git objects. */
export const COMMIT_BUFFER_MAX_BYTES = 64 * MIB
/** How long a browser may remember that it may ask. */
export const PREFLIGHT_AGE_S = 24 * 3600
/** One window of requests and of wrong credentials, as on the Hub; the longest that an operator may choose is a day. */
export const RATE_WINDOW_S = 300
export const RATE_WINDOW_MAX_S = 24 * 3600
/** More requests in a window than this are a typing error. */
export const RATE_QUOTA_MAX = 1_000_000_000
/** Wrong credentials from one address in a window. */
export const FAILED_CREDENTIALS_MAX = 100
/** Accounts and addresses whose windows are remembered, and pairs of a good token and its address: some 20 MB each. */
export const RATE_LIMITED_CLIENTS_MAX = 100_000
export const ACCEPTED_TOKENS_MAX = 100_000
/** Of all commits together; a commit that gets no more writes what it has. The first part of each does not count. */
export const COMMIT_BUFFERS_MAX_BYTES = 128 * MIB
export const COMMIT_BUFFER_FREE_BYTES = 1 * MIB
/** Paths of one commit together, and folders that they lie in: each becomes an object that is read and written. */
export const COMMIT_PATHS_MAX_BYTES = 16 * MIB
export const COMMIT_FOLDERS_MAX = 50_000
/** What an operation costs beside its path and content. */
export const COMMIT_OPERATION_BYTES = 512
/** When to come again after all shared memory was taken. */
export const MEMORY_RETRY_S = 5
/** A token's last use is written at most this often. */
export const TOKEN_TOUCH_INTERVAL_MS = 5 * 60_000

/** Entries of one page of `tree`, also with `expand`: one walk over history answers a whole folder. */
export const TREE_PAGE_ENTRIES_MAX = 1000
/** Entries of neighbouring folders whose last commits are looked up along with those of a page. */
export const LAST_COMMITS_AHEAD_MAX = 50_000
/** Entries with a known last commit kept in memory. */
export const LAST_COMMITS_CACHE_MAX = 500_000
/** Entries of a whole tree that a request may walk (siblings, recursive listings). */
export const TREE_WALK_ENTRIES_MAX = 1_000_000
/** Folders that such a walk reads at once. */
export const TREE_WALK_FOLDERS_AHEAD = 64
export const COMMITS_PAGE_MAX = 100
/** hub-api.md §5: more paths than this are refused with 413. */
export const PATHS_INFO_MAX = 1000
/** Refs of one repository that HTTP may make. */
export const REFS_PER_REPO_MAX = 20_000
/** Parsed folders and facts about blobs kept in memory, by entries. */
export const TREE_CACHE_ENTRIES_MAX = 500_000
export const BLOB_FACTS_CACHE_MAX = 500_000
/** git blobs of up to so many bytes are kept, so many bytes of them: what every client of a model asks for first. */
export const SMALL_BLOB_MAX_BYTES = 16 * KIB
export const SMALL_BLOBS_CACHE_MAX_BYTES = 8 * MIB
export const COMMIT_CACHE_MAX = 20_000
/** config.json and its like; of larger ones nothing is told. Nesting of those, and characters of what is told. */
export const MODEL_JSON_MAX_BYTES = 4 * MIB
export const MODEL_JSON_DEPTH_MAX = 64
export const MODEL_CONFIG_MAX_LENGTH = 256 * KIB
/** The list of a model's shards: a line for each tensor. */
export const SHARD_INDEX_MAX_BYTES = 16 * MIB
/** README.md, .gitattributes and .gitignore larger than this are not looked at. */
export const METADATA_FILE_MAX_BYTES = 1 * MIB
/** A git blob that is read whole for a download. */
export const GIT_BLOB_MAX_BYTES = 128 * MIB
/** All git blobs that are being sent, how many requests wait for room, and for how long. */
export const GIT_BLOBS_HELD_MAX_BYTES = 256 * MIB
export const GIT_BLOB_WAITERS_MAX = 256
export const GIT_BLOB_WAIT_MS = 20_000
/** A reader who takes nothing for so long loses the blob from memory, and everybody does after the second time. */
export const GIT_BLOB_STALL_MS = 1_000
export const GIT_BLOB_HELD_MS = 10_000
/** LFS contents whose fingerprint is remembered once their sha256 was found right: some 3 MB. */
export const DOWNLOAD_CHECKED_MAX = 10_000
/** Nested annotated tags that are followed to a commit. */
export const TAG_DEPTH_MAX = 8

/** LFS `basic` up to this size, `multipart` above. */
export const LFS_BASIC_MAX_BYTES = 512 * MIB
export const LFS_PART_BYTES = 128 * MIB
export const LFS_PARTS_MAX = 10_000
/** The smallest limit that a repository may set for itself. */
export const LFS_MULTIPART_ABOVE_MIN_BYTES = 1
/** Parts of all objects of one batch: each costs a signature and some 300 bytes of the answer. */
export const LFS_BATCH_PARTS_MAX = 50_000
/** Signed upload and download addresses. A 5 GB part on a slow line takes hours. */
export const LFS_URL_TTL_S = 24 * 3600
/** Locks of git-lfs: of one page, and of one repository. */
export const LFS_LOCKS_PAGE_MAX = 1000
export const LFS_LOCKS_PER_REPO_MAX = 20_000
/** Completion bodies name every part. */
export const LFS_COMPLETE_BODY_MAX_BYTES = 2 * MIB

/** Advertised lifetime of a CAS token; it is accepted a little longer (xet.md §7). */
export const CAS_TOKEN_TTL_S = 3600
export const CAS_TOKEN_GRACE_S = 300
export const XORB_URL_TTL_S = 3600
/** One key for all dedup replies of that time (xet.md §8.2). */
export const DEDUP_EPOCH_MS = 7 * 24 * 3600_000
/** Xorbs that one dedup reply describes; 48 bytes a chunk. */
export const DEDUP_REPLY_XORBS_MAX = 64
/** What a landing brought to paths, of one transaction (which holds at most 2,000 rows). */
export const PATH_VERSIONS_PER_TRANSACTION = 500
/** Decoded chunk tables kept in memory, in bytes. */
export const XORB_TABLE_CACHE_MAX_BYTES = 64 * MIB

/** Decoded bytes that the bridge makes at a time, and how many such steps it is ahead of the one being sent. */
export const BRIDGE_STEP_MAX_BYTES = 1 * MIB
export const BRIDGE_STEP_MIN_BYTES = 128 * KIB
export const BRIDGE_STEPS_AHEAD_MAX = 4
/** What all bridges hold together before each makes smaller steps and fewer ahead. */
export const BRIDGES_HELD_MAX_BYTES = 96 * MIB

/** LFS objects from this size on become Xet files; smaller ones have too few chunks to share. */
export const MIGRATION_MIN_BYTES = 1 * MIB
/** How long an object is left alone after it came, and kept after it was replaced, unless the operator says otherwise. */
export const MIGRATION_DELAY_HOURS = 24
export const MIGRATION_GRACE_HOURS = 7 * 24
/** Ten years: longer ones are typing errors. */
export const MIGRATION_HOURS_MAX = 87_600
/** Of the disk; an object is there twice for a while, and uploads come first. */
export const MIGRATION_FREE_SHARE_MIN = 0.1
/** How often objects that are due are looked for. */
export const MIGRATION_POLL_MS = 60_000
/** An object that could not be migrated is tried again after this, then after twice as long, at most after a day. */
export const MIGRATION_RETRY_MS = 60_000
export const MIGRATION_RETRY_MAX_MS = 24 * 3600_000
/** The longest rest after a piece; the usual one is as long as the piece took. */
export const MIGRATION_REST_MAX_MS = 1_000
/** Xorbs of a migrated file whose chunks go into the dedup index: 48 bytes a chunk, of a shard of at most 64 MiB. */
export const MIGRATION_SHARD_XORBS_MAX = 512
/** Versions of a path, and xorbs, in which a migrated file's chunks are looked for. */
export const SIMILAR_VERSIONS_MAX = 8
export const SIMILAR_XORBS_MAX = 1024

/** Decoded bytes that the bridge makes at a time. */
export const BRIDGE_STEP_RAW_MAX_BYTES = 1 * MIB
/** Files of a shard, together, that are decoded and hashed before it is acknowledged; a job does the rest. */
export const XET_PROVEN_AT_ONCE_MAX_BYTES = 16 * MIB
/** Rows of one transaction of a shard's registration (a transaction holds at most 2,000). */
export const SHARD_ROWS_PER_TRANSACTION = 1_000

/** Jobs: how long a claimed event is ours, how often one is tried, and the pause between looks. */
export const JOB_LEASE_MS = 10 * 60_000
export const JOB_ATTEMPTS_MAX = 20
export const JOB_BATCH = 16
export const JOB_POLL_MS = 1_000

/** A value list or a multi-row insert, in parameters a statement; SQLite takes 32,766, PostgreSQL 65,535. */
export const SQL_PARAMETERS_MAX = 8000
/** Answers of small look-ups that are kept until the next transaction, and the characters of one: 40 MB at worst. */
export const ROW_MEMORY_ANSWERS_MAX = 10_000
export const ROW_MEMORY_ANSWER_MAX_CHARS = 4096
/** Answers to whole questions that are kept as long, and the characters of what was asked: 20 MB at worst. */
export const ANSWERS_MAX = 5_000
export const ANSWER_KEY_MAX_CHARS = 1024
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
/** Connections of one hub to PostgreSQL that read; one more writes. */
export const POSTGRES_READERS_MAX = 8
/** To connect, and to wait for a free connection. */
export const POSTGRES_CONNECT_MS = 10_000
/** One statement; the longest are listings. */
export const POSTGRES_STATEMENT_MS = 30_000
/** An idle connection is closed after this long. */
export const POSTGRES_IDLE_MS = 60_000
/** A hub that stops in the middle of a transaction loses it, and with it the lock that others wait for. */
export const POSTGRES_TRANSACTION_IDLE_MS = 30_000
/** Rows that a copy of a catalog holds at a time; a row of `xorbs` has up to some hundred KiB. */
export const COPY_BATCH_ROWS = 250
/** Xorbs that no shard has come for are counted for so many repositories, as long as the lease of an upload. */
export const PENDING_UPLOADS_MAX = 10_000
/** How long the room that a repository has left is believed while its xorbs arrive; its shard is measured anew. */
export const UPLOAD_ALLOWANCE_MS = 30_000
/** Failed jobs that `cairn admin stats` names. */
export const STATS_FAILED_EVENTS_MAX = 20
/** Of the path of a request, in the log. */
export const LOGGED_PATH_MAX_CHARS = 500
/** How old the counts of rows that `/metrics` shows may be. */
export const METRICS_CATALOG_MS = 60_000
/** Why a job failed, as kept with its event. */
export const OUTBOX_REASON_LENGTH_MAX = 1000
/** How long a stop may take in all: the drain, then what the backends need to close. */
export const STOP_MS = DRAIN_MS + 5_000
/** A token string that an operator chose. Generated ones have 37 characters. */
export const TOKEN_LENGTH_MIN = 4
/** Foreign tokens may be JWTs; a header block has 16 KiB. */
export const TOKEN_LENGTH_MAX = 2048
/** Also what deleting an account touches in one transaction. */
export const TOKENS_PER_ACCOUNT_MAX = 500
/** Accounts and repositories that one fine-grained token names. */
export const GRANT_SCOPES_MAX = 100
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
/** Rows that a walk over everything reads at once. */
export const INVENTORY_PAGE = 1000
/** Rows, or files on disk, that one step of a check looks at. */
export const FSCK_ROWS_PER_STEP = 500
/** Reading for a check answers after so long, and goes on until it is asked for again. */
export const VERIFY_STEP_MS = 5000
/** What an operator may let a check read in a second. */
export const VERIFY_RATE_DEFAULT_BYTES = 64 * MIB
export const VERIFY_RATE_MAX_BYTES = 100 * 1024 * MIB
/** The slow pass over everything: beside requests, it reads a blob no faster than this. */
export const SCRUB_BYTES_PER_SECOND = 8 * MIB
export const SCRUB_DAYS = 30
export const SCRUB_DAYS_MAX = 3650
/** A hub that has just started has something else to do. */
export const SCRUB_FIRST_MS = 10 * 60_000
export const SCRUB_PAUSE_MAX_MS = 3600_000
/** How often it writes down where it is; what came after is read twice. */
export const SCRUB_SAVE_MS = 60_000
/** Files that are named for one damaged blob. */
export const DAMAGE_USERS_SHOWN_MAX = 20
/** Contents that a backup copies at once: each waits for the disk. */
export const COPIES_AT_ONCE = 4
/** What a backup counts on stays so long after it was last heard of. */
export const BACKUP_LEASE_MS = 10 * 60_000
/** Each keeps a copy of the catalog on disk. */
export const BACKUPS_AT_ONCE_MAX = 4

/** Limits of the server alone. Those that both ends of a wire must agree on are in protocol/src/limits.ts. */

/** One chunk of a streamed blob: half and twice as much cost more CPU a GiB. */
export const READ_BUFFER_BYTES = 512 * KIB

/** What is read or copied at once for one reader, in memory that is his alone. */
export const READ_WHOLE_MAX_BYTES = 256 * KIB

/** What readers hold together before the chunks of further ones are made smaller, and how small. */
export const READ_BUFFERS_HELD_MAX_BYTES = 48 * MIB
export const READ_CHUNK_MIN_BYTES = 16 * KIB

/** Idle read buffers kept for the next reader: 32 MiB. Readers beyond that allocate and drop. */
export const READ_BUFFERS_IDLE_MAX = 64

/** Chunks of bodies that have passed before their memory is taken back. */
export const PASSED_CHUNKS_MAX_BYTES = 16 * MIB

/** What an upload gathers before it writes; smaller and larger both measured slower (toolchain.md §5). */
export const GATHER_BUFFER_BYTES = MIB

/** Idle gather buffers kept for the next upload: 16 MiB. */
export const GATHER_BUFFERS_IDLE_MAX = 16

/** Parts of one multipart upload, as in S3. */
export const UPLOAD_PARTS_MAX = 10_000

/** Files that a listing of parts looks into at once. */
export const PART_LIST_CONCURRENCY = 16

/** git processes that run one command each; more callers wait. */
export const GIT_PROCESSES_MAX = 16

/** Callers that wait for one of them; more are refused. */
export const GIT_QUEUE_MAX = 512

/**
 * Clients that fetch at once: each has a git of its own for as long as it takes. More wait, and beyond that are refused.
 * One account, or one address, has at most half of these, and so below.
 */
export const GIT_FETCHES_MAX = 32
export const GIT_FETCHES_WAITING_MAX = 256

/**
 * A client for which git has waited so long, beyond what it has taken at this speed, loses its place: any modem takes
 * more. What a push brings is body.ts's.
 */
export const FETCH_THROUGHPUT_MIN_BYTES_PER_S = 4 * KIB
export const FETCH_STALL_MS = 2 * 60_000

/** When to come again after all places for git were taken. */
export const GIT_RETRY_S = 5

/** Clients that push at once, from the first byte of the pack to the last ref. */
export const GIT_PUSHES_MAX = 8
export const GIT_PUSHES_WAITING_MAX = 256

/** A whole push, as sent and inflated. Large files are not in it. */
export const PUSH_MAX_BYTES = 8 * 1024 * MIB

export const PACK_OBJECTS_MAX = 4_000_000

/** What unpacking may allocate at once, beside some bytes for each object: no file in git is nearly as large. */
export const PACK_ALLOCATION_MAX_BYTES = 64 * MIB
export const PACK_ALLOCATION_PER_OBJECT_BYTES = 64

/** Larger files are hashed as they pass instead of being held, so that the refusal can name them. */
export const PACK_STREAM_ABOVE_BYTES = 16 * MIB

/** git's own limit for chains of deltas that it makes (`--depth`). */
export const DELTA_DEPTH_MAX = 4095

/** How long git may take over a piece of a pack, and over resolving and looking at all of it. */
export const PACK_PIECE_MS = 60_000
export const PACK_CHECK_MS = 15 * 60_000

/** Refs of one push that land in one transaction. */
export const PUSH_REFS_PER_TRANSACTION = 1000

/** From so many refs on, changes are written into git's one file of them. */
export const PACKED_REFS_MIN = 32

/** Files and reasons that a refused push names. */
export const PUSH_PROBLEMS_NAMED_MAX = 20

/** Objects that a push brings whose contents are looked at together. */
export const PUSH_OBJECTS_AT_ONCE = 256
/** Such groups that are asked for before the first of them is answered. */
export const PUSH_GROUPS_AHEAD = 4

/** While a push is looked at, the client hears something this often. */
export const PUSH_KEEP_ALIVE_MS = 5_000

/** A compressed body, when it is inflated. */
export const INFLATED_BODY_MAX_BYTES = 64 * MIB

/** What a client sends to fetch, inflated: some 300,000 wants of a partial clone. */
export const FETCH_REQUEST_MAX_BYTES = 16 * MIB

/** Wants that are looked at one by one; more of them are files of a partial clone. */
export const FETCH_WANTS_STAT_MAX = 64

/** To find out whether something can be reached from the refs; and how many find out at once. */
export const REACHABLE_WALK_MS = 60_000
export const GIT_WALKS_MAX = 4

export const GIT_TIMEOUT_MS = 120_000

export const GIT_FSCK_TIMEOUT_MS = 30 * 60_000

/** Packing a repository anew, beside everything else. */
export const GIT_REPACK_TIMEOUT_MS = 6 * 3600_000

/** Objects that one repack compares with each other. */
export const GIT_REPACK_WINDOW_MAX_BYTES = 64 * MIB

/** Temporary files of git older than this belong to nobody any more. */
export const GIT_TEMPORARY_FILE_MAX_AGE_MS = 24 * 3600_000

/** A repository with more of these is packed. */
export const LOOSE_OBJECTS_KEPT_MAX = 300
export const PACKS_KEPT_MAX = 16
export const LOOSE_REFS_KEPT_MAX = 1000

/** A repository's folders are counted once in so many changes of its refs. */
export const HOUSEKEEPING_LANDINGS = 50

/** How often those that changed are looked at, and how often all are. */
export const HOUSEKEEPING_POLL_MS = 10_000
export const HOUSEKEEPING_ROUND_MS = 24 * 3600_000

/** The pause after start before the first round: whoever restarts a hub wants to use it. */
export const HOUSEKEEPING_FIRST_ROUND_MS = 10 * 60_000

/** A repository that changed is packed whole so often; only that finds out what no ref reaches. */
export const FULL_REPACK_INTERVAL_MS = 7 * 24 * 3600_000

/** What no ref reaches is kept so long after it was last written or packed. */
export const UNREACHABLE_GRACE_MS = 14 * 24 * 3600_000

/** A git process that has not opened its socket by then never will. */
export const GIT_START_TIMEOUT_MS = 20_000

/** JSON that is made in slices is sent with its length up to this one. */
export const JSON_WHOLE_MAX_LENGTH = 256 * KIB

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

/** Paths of one look for their last commits: folders of a listing, whole. */
export const LAST_COMMITS_PATHS_MAX = 100_000

/** Up to so many paths git compares itself; above, it is given their folder. */
export const LAST_COMMITS_PATHSPECS_MAX = 16

/** One commit's headers and message, or one path, in the output of `git log`. */
export const GIT_LOG_TOKEN_MAX_BYTES = 8 * MIB

/** Complaints of one `git fsck` that are reported. */
export const FSCK_LINES_MAX = 1000

/** Serialized bytes that go to a worker at once: enough that the hop costs little, few enough for many uploads. */
export const XORB_BATCH_BYTES = 1 * MIB

/** Memory for a batch and the chunk that goes beyond it, or for a step of the bridge; and how much of it is kept: 48 MiB. */
export const XORB_BUFFER_BYTES = 1.5 * MIB
export const XORB_BUFFERS_IDLE_MAX = 32
/** Less than this gets memory of its own: a small file need not hold a large buffer. */
export const XORB_BUFFERED_MIN_BYTES = 384 * KIB

/** The same when decoded, so that no upload holds a worker for long by compressing well. */
export const XORB_BATCH_RAW_BYTES = 4 * MIB

/** Batches of one upload that workers or the store have; a further one is being filled. */
export const XORB_BATCHES_IN_FLIGHT_MAX = 2

/**
 * Chunks that a download decodes in place. A hop to a worker costs 0.05 to 0.2 ms and this many chunks cost about as
 * much; counted in chunks, because well compressed bytes say nothing about the work that they make.
 */
export const XORB_INLINE_CHUNKS_MAX = 4

/** What the packing thread is given at once: it holds this, and what it makes of it. */
export const PACK_PIECE_BYTES = 1 * MIB

/** Cards and heads of weight files up to this length are read in place: some 20 ms at the very worst. */
export const DOCUMENT_INLINE_MAX_LENGTH = 4 * KIB

/** Longer ones get a thread, for so long; the largest honest card takes a quarter of a second. */
export const DOCUMENT_READ_MS = 5_000

/** Those that wait for the thread; more are refused. */
export const DOCUMENT_QUEUE_MAX = 64

/** When to come again. */
export const DOCUMENT_RETRY_S = 5

/** One client's requests for one repository count once within this. */
export const DOWNLOAD_WINDOW_MS = 300_000

/** Pairs of repository and client that are remembered: some 30 MB. Beyond it the longest unseen may count again early. */
export const DOWNLOAD_CLIENTS_MAX = 200_000

/** How long counted downloads wait for the next batch. */
export const DOWNLOAD_FLUSH_MS = 5_000

/** Repositories and days of one batch; a transaction holds at most 2,000 rows. */
export const DOWNLOAD_PENDING_MAX = 2_000

/** `downloads` counts so many days, today included. */
export const DOWNLOAD_RECENT_DAYS = 30

/** Days of one answer about the history. */
export const DOWNLOAD_HISTORY_MAX_DAYS = 366

/** Members or repositories of one page. */
export const ACCOUNT_PAGE_MAX = 100
/** How long a deleted repository can be restored, unless the operator says otherwise. */
export const DELETE_GRACE_HOURS = 72
/** Ten years: longer ones are typing errors. */
export const DELETE_GRACE_MAX_HOURS = 87_600
/** Deleted repositories whose grace has ended are looked for this often. */
export const PURGE_POLL_MS = 5 * 60_000
/** Those that one look takes on. */
export const PURGE_BATCH = 100
/** Names that lead to a repository after renames; the oldest ends when there is one more. */
export const OLD_NAMES_PER_REPO_MAX = 100
/** Likes and likers on one page: huggingface_hub 0.19.4 reads the first page of likers only. */
export const LIKES_PAGE_MAX = 1000
/** Links of contents that a duplicate gets in one transaction. */
export const LINKS_PER_TRANSACTION = 1000
/** Copying the history of a repository into its duplicate. */
export const GIT_COPY_TIMEOUT_MS = 30 * 60_000
/** A unified diff, or a list of changed files, as one answer. */
export const DIFF_MAX_BYTES = 16 * MIB

/** Larger files are only said to differ: comparing lines costs many times the file in memory. */
export const DIFF_FILE_MAX_BYTES = 2 * MIB

export const DIFF_TIMEOUT_MS = 20_000

/** Added and deleted files of one diff that are compared for renames, each with each. */
export const DIFF_RENAMES_MAX = 500

/** Files of a comparison that are listed; further ones are refused rather than left out. */
export const COMPARE_FILES_MAX = 10_000

/** Message of a squash. */
export const SQUASH_MESSAGE_MAX_BYTES = 64 * KIB

/** Page of the listing of LFS files. */
export const LFS_FILES_PAGE_MAX = 1000

/** hub-api.md §5: contents that one request may delete for good. */
export const LFS_PURGE_MAX = 1000

/** hub-api.md §5: files that one request may take over from another repository. */
export const LFS_DUPLICATE_MAX = 500

/** Commits that one rewriting of history may walk over; it holds the repository's refs all the while. */
export const HISTORY_REWRITE_COMMITS_MAX = 100_000

/** Rewritten commits and trees gathered before they are written as one pack. */
export const HISTORY_REWRITE_BUFFER_MAX_BYTES = 16 * MIB

/** Repositories whose pointers, in all of their history, are remembered. */
export const HISTORY_POINTERS_CACHE_MAX = 64

/** Pointers of all these together. */
export const HISTORY_POINTERS_CACHE_ENTRIES_MAX = 500_000

/** `Co-authored-by` lines of one commit that are listed. */
export const COAUTHORS_MAX = 20
/** What is searched of one repository: its name and the beginning of its card. */
export const SEARCH_TEXT_LENGTH_MAX = 4096

/** Matches of a search or a filter that are collected and sorted; of more, rows are read in their order until a page is full. */
export const INDEXED_MATCHES_MAX = 5000

/** What a like or a download counts for trending halves in this time. */
export const TRENDING_HALF_LIFE_MS = 7 * 24 * 3600_000

/** What is read of a weight file before its head's length is known. */
export const SAFETENSORS_FIRST_READ_BYTES = 128 * KIB
export const GGUF_FIRST_READ_BYTES = MIB

/** Shards of a model whose heads are read; of more, the parameters are not counted. */
export const SHARD_HEADERS_READ_MAX = 256

/** Paths of a repository that lists answer from the catalog; of more, from git. */
export const FILES_INDEXED_MAX = 2000

/** Characters of a README's prose that are searched and sent as a description. */
export const CARD_EXCERPT_LENGTH_MAX = 2000

/** Facts of commits kept in memory, and heads of weight files. */
export const FACTS_CACHE_MAX = 1000
export const HEADS_CACHE_MAX = 10_000

/** GGUF files of one repository that can be pulled by tag; the largest have some hundred. */
export const GGUF_FILES_MAX = 1000
/** Tags that the refusal of another one lists. */
export const GGUF_TAGS_LISTED_MAX = 30
/** GGUF files of all repositories that are remembered for pulls. */
export const PULL_CACHE_FILES_MAX = 20_000

/** Repositories of one page of a list, and of one that carries their files. */
export const LIST_PAGE_MAX = 1000
export const LIST_PAGE_DEFAULT = 100
export const LIST_FULL_PAGE_MAX = 100

/** Ids of Spaces sent with a model. */
export const SPACES_OF_MODEL_MAX = 100

/** Tags of one listing by type. */
export const TAGS_BY_TYPE_MAX = 5000

/** Hits of each type in a quick search, and repositories in a list of what trends. */
export const QUICK_SEARCH_MAX = 20
export const TRENDING_MAX = 20
/** Hits that a quick search counts. */
export const QUICK_SEARCH_COUNT_MAX = 1000

/** What an upload relies on is kept so long after its last request, named by a commit or not. */
export const UPLOAD_LEASE_MS = 48 * 3600_000
/** A use of what is there already is noted this often; less than the lease. */
export const TOUCH_INTERVAL_MS = 24 * 3600_000
/** How long blobs that nothing needs are kept, unless the operator says otherwise: xet.md §12. */
export const GC_GRACE_HOURS = 28 * 24
/** Time between two runs of collection, unless the operator says otherwise; the first waits as long after start. */
export const GC_INTERVAL_HOURS = 24
/** Ten years: longer ones are typing errors. */
export const GC_HOURS_MAX = 87_600
/** Rows or blobs that one step of collection looks at. */
export const COLLECTION_PAGE = 1000
/** Links that are settled in one transaction. */
export const COLLECTION_LINKS_PAGE = 1000
/** A recipe takes its references to xorbs with it, 16,000 for a terabyte. */
export const RECIPES_PER_TRANSACTION = 50
/** Blobs whose rows go in one transaction, and what the dedup index may say of each of them. */
export const SWEEP_BLOBS = 50
export const INDEX_ROWS_PER_XORB = 30
/** The background's run looks at the clock this often, and rests so long after each step. */
export const COLLECTION_POLL_MS = 60_000
export const COLLECTION_PAUSE_MS = 50
