/** Limits that both ends of a wire must agree on. The server's own are in server/src/limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

/** hub-api.md §1.5: namespace and name, each. */
export const REPO_NAME_LENGTH_MAX = 96
/** A path in a repository, in UTF-8 bytes; Linux's PATH_MAX less room for a checkout's prefix. */
export const PATH_LENGTH_MAX_BYTES = 3072
/** One component of such a path, in UTF-8 bytes; what file systems allow. */
export const PATH_COMPONENT_MAX_BYTES = 255
export const PATH_DEPTH_MAX = 128
export const REF_NAME_MAX_BYTES = 255

/** hub-api.md §7.1: clients send at most 256 files a call, JS 100. */
export const PREUPLOAD_FILES_MAX = 1000
/** Bytes of a file that preupload looks at (base64 of them in `sample`). */
export const PREUPLOAD_SAMPLE_MAX_BYTES = 512
/** Operations in one commit. */
export const COMMIT_OPERATIONS_MAX = 50_000
/** One NDJSON line of a commit: base64 of the largest inline file, and its JSON. */
export const COMMIT_LINE_MAX_BYTES = 96 * MIB
/** Content of one inline file; larger ones travel by LFS or Xet. */
export const INLINE_FILE_MAX_BYTES = 64 * MIB
/** A whole NDJSON commit body. Newest clients stop at 100 MB of inline content, older ones do not. */
export const COMMIT_BODY_MAX_BYTES = 2048 * MIB
/** A text file above this size goes to LFS whatever its name. */
export const REGULAR_FILE_MAX_BYTES = 10 * MIB
export const COMMIT_SUMMARY_MAX_BYTES = 8 * KIB
export const COMMIT_DESCRIPTION_MAX_BYTES = 256 * KIB

/** git-lfs docs/spec.md: a pointer file is smaller than this. */
export const LFS_POINTER_MAX_BYTES = 1024
export const LFS_BATCH_OBJECTS_MAX = 1000
/** One LFS object. */
export const LFS_OBJECT_MAX_BYTES = 5 * 1024 * 1024 * MIB

/** xet.md §3.1 and §11. */
export const XET_CHUNK_TARGET_BYTES = 64 * KIB
export const XET_CHUNK_MIN_BYTES = 8 * KIB
export const XET_CHUNK_MAX_BYTES = 128 * KIB
export const XET_CHUNK_COMPRESSED_MAX_BYTES = 256 * KIB
export const XET_XORB_CHUNKS_MAX = 8192
/** 64 MiB of raw bytes plus headers and an old client's footer. */
export const XET_XORB_MAX_BYTES = 64 * MIB + 512 * KIB
export const XET_SHARD_MAX_BYTES = 64 * MIB + 4 * KIB
/**
 * Chunks that the terms of one shard may name in total, repeats counted: checking a file hashes each of them, and
 * 64 MiB of terms could otherwise name billions. About 2 TiB of content at the target size.
 */
export const XET_SHARD_CHUNKS_MAX = 2 ** 25
/**
 * What one chunk's LZ4 frame may claim to hold. A chunk has at most 128 KiB, but some encoders always declare
 * blocks of 4 MiB, the largest that the format knows.
 */
export const XET_LZ4_FRAME_CLAIM_MAX_BYTES = 4 * MIB

/** Front matter of a card. */
export const CARD_YAML_MAX_BYTES = 256 * KIB
