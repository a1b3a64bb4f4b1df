/* Hashing a file, piece by piece. See content_id.h. */
#include "core/content_id.h"

#include "core/base/sys.h"

#include <xxhash.h>

#define PIECE_BYTES (256 * 1024)

static void free_state(XXH3_state_t **state)
{
	XXH3_freeState(*state); /* NULL is fine */
}

int jp_content_id_of_file(int fd, struct jp_content_id *ret)
{
	__attribute__((cleanup(free_state))) XXH3_state_t *state = XXH3_createState();
	cleanup_free char *piece = malloc(PIECE_BYTES);
	XXH128_hash_t hash;
	uint64_t size = 0;

	if (state == NULL || piece == NULL || XXH3_128bits_reset(state) == XXH_ERROR)
		return -ENOMEM;
	for (;;) {
		ssize_t n = jp_sys->pread(fd, piece, PIECE_BYTES, (off_t)size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (XXH3_128bits_update(state, piece, (size_t)n) == XXH_ERROR)
			return -EIO;
		size += (uint64_t)n;
	}
	hash = XXH3_128bits_digest(state);
	*ret = (struct jp_content_id){size, hash.high64, hash.low64};
	return 0;
}
