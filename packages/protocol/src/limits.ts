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
/** Header lines of one commit or tag; signatures and merged tags have many. */
export const GIT_HEADERS_MAX = 10_000
/** git's own LARGE_PACKET_MAX, length included. */
export const PACKET_MAX_BYTES = 65_520
/** Refs that one push may change. */
export const PUSH_COMMANDS_MAX = 50_000
export const PUSH_OPTIONS_MAX = 100
/** `command=ls-refs` and a line feed. */
export const FETCH_COMMAND_MAX_BYTES = 32
/** Folders that planning a commit reads at once. */
export const TREE_READ_CONCURRENCY = 64

/** hub-api.md §7.1: clients send at most 256 files a call, JS 100. */
export const PREUPLOAD_FILES_MAX = 1000
/** Bytes of a file that preupload looks at (base64 of them in `sample`). */
export const PREUPLOAD_SAMPLE_MAX_BYTES = 512
/** Operations in one commit. */
export const COMMIT_OPERATIONS_MAX = 50_000
/** One NDJSON line of a commit: base64 of the largest inline file (`REGULAR_FILE_MAX_BYTES`), and its JSON. */
export const COMMIT_LINE_MAX_BYTES = 16 * MIB
/** A whole NDJSON commit body. Newest clients stop at 100 MB of inline content, older ones do not. */
export const COMMIT_BODY_MAX_BYTES = 2048 * MIB
/** A file above this size goes to LFS or Xet whatever its name; inline it is refused. */
export const REGULAR_FILE_MAX_BYTES = 10 * MIB
export const COMMIT_SUMMARY_MAX_BYTES = 8 * KIB
export const COMMIT_DESCRIPTION_MAX_BYTES = 256 * KIB

/** Text of one `.gitattributes` or `.gitignore`; what lies beyond it is refused, not ignored. */
export const GIT_PATTERNS_MAX_BYTES = MIB
/** Lines with a pattern in one such file; the Hub's habit of one line a large file makes them long. */
export const GIT_PATTERNS_MAX = 20_000
/** git's own ATTR_MAX_LINE_LENGTH: a longer line of `.gitattributes` has no effect. */
export const GIT_ATTRIBUTES_LINE_MAX_BYTES = 2048
/** Steps of pattern matching for one path, some forty milliseconds; only patterns made to be slow need more. */
export const GIT_MATCH_STEPS_MAX = 500_000
/** The same for all paths of one request: a thousand paths and twenty thousand plain patterns. A second or two. */
export const GIT_MATCH_STEPS_REQUEST_MAX = 20_000_000

/** git-lfs docs/spec.md: a pointer file is smaller than this. */
export const LFS_POINTER_MAX_BYTES = 1024
export const LFS_BATCH_OBJECTS_MAX = 1000
/** Transfer adapters that a batch request may name; clients name three. */
export const LFS_BATCH_TRANSFERS_MAX = 16
export const LFS_TRANSFER_NAME_LENGTH_MAX = 64
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
/** Where whoever packs a xorb ends it, as hf_xet does. */
export const XET_XORB_RAW_BYTES = 64 * MIB
/** Chunks that a packer looks for among what it packs: some 40 MB, the chunks of 16 GiB. */
export const XET_PACKER_CHUNKS_KNOWN_MAX = 2 ** 18
export const XET_SHARD_MAX_BYTES = 64 * MIB + 4 * KIB
/**
 * Chunks that the terms of one shard may name in total, repeats counted: checking a file hashes each of them, and
 * 64 MiB of terms could otherwise name billions. About 2 TiB of content at the target size.
 */
export const XET_SHARD_CHUNKS_MAX = 2 ** 25
/**
 * Terms of one file, those that follow one another in a xorb counted as one. hf_xet writes a term for each run of
 * chunks in a xorb and keeps runs at eight chunks on average where it deduplicates, so this is 64 GiB at its worst and
 * 8 TiB of new content.
 */
export const XET_FILE_TERMS_MAX = 2 ** 17
/**
 * Beyond so many terms they must have so many bytes on average. Half the smallest chunk that is not the last of its
 * file: every client stays above it, and a small file cannot have a long recipe.
 */
export const XET_FILE_TERMS_FREE = 1024
export const XET_TERM_MEAN_MIN_BYTES = 4 * KIB

/** Front matter of a card. */
export const CARD_YAML_MAX_BYTES = 256 * KIB
/** Nesting of front matter; `model-index` needs eight. */
export const CARD_YAML_DEPTH_MAX = 32
/** Scalars, lists and mappings of front matter, aliases expanded. */
export const CARD_YAML_NODES_MAX = 50_000
export const CARD_YAML_ALIASES_MAX = 100
/** Problems, errors or warnings reported about one card. */
export const CARD_MESSAGES_MAX = 50
/** Tags computed for one repository, and the characters of one. */
export const CARD_TAGS_MAX = 1000
export const CARD_TAG_LENGTH_MAX = 256
/** Characters of a card that are searched for arXiv addresses. */
export const CARD_TEXT_SCAN_MAX = MIB

/** Values of one repeated query parameter, and the characters of each. */
export const QUERY_LIST_MAX = 1000
export const QUERY_VALUE_LENGTH_MAX = 4096
/** A `Range` header with one range of two 64-bit numbers needs 50 characters. */
export const RANGE_HEADER_LENGTH_MAX = 128

/** JSON header of one safetensors file. The format allows 100 MB; the largest real ones have some 2 MB. */
export const SAFETENSORS_HEADER_MAX_BYTES = 16 * MIB
/** Tensors of one header, and dimensions of one tensor. */
export const SAFETENSORS_TENSORS_MAX = 200_000
export const TENSOR_DIMENSIONS_MAX = 16
/** Files that the index of a sharded model may name. */
export const SAFETENSORS_SHARDS_MAX = 1000
/** Metadata and tensor list of one GGUF file; vocabularies make up most of it. */
export const GGUF_HEADER_MAX_BYTES = 32 * MIB
export const GGUF_METADATA_MAX = 10_000
export const GGUF_TENSORS_MAX = 200_000
/** Elements of one array of metadata; the largest vocabularies have 256,000 words and as many merges. */
export const GGUF_ARRAY_LENGTH_MAX = 4_000_000
export const GGUF_ARRAY_DEPTH_MAX = 4
/** A chat template that is kept; names are far shorter. */
export const GGUF_TEXT_MAX_BYTES = MIB

/** Words of one search, and the characters of all of them. */
export const SEARCH_WORDS_MAX = 16
export const SEARCH_LENGTH_MAX = 256
/** Tags and links that one listing may be filtered by. */
export const LIST_FILTERS_MAX = 32
