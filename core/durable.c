/* One atomic step from staging to the durable copy. See durable.h. */
#include "core/durable.h"

#include "core/base/sys.h"

#include <stdio.h>
#include <string.h>

static int put_by_link(struct jp_staging *staging, uint64_t id, char *staged_name, int parent_fd,
		       const char *name, bool must_exist, bool *ret_displaced)
{
	char old[NAME_MAX + 1];

	jp_staging_pin_name(staging, id, name, old);
	*ret_displaced = jp_sys->linkat(parent_fd, name, staging->fd, old, 0) == 0;
	if (!*ret_displaced && (errno != ENOENT || must_exist))
		return -errno;
	if (jp_sys->renameat2(staging->fd, staged_name, parent_fd, name, 0) < 0) {
		int r = -errno;

		if (*ret_displaced)
			(void)jp_sys->unlinkat(staging->fd, old, 0); /* it was only a link */
		return r;
	}
	/* It stays under that name: one more step could fail, with both in their new places. */
	if (*ret_displaced)
		memcpy(staged_name, old, strlen(old) + 1);
	return 0;
}

int jp_durable_replace(struct jp_staging *staging, uint64_t id, char *staged_name, int parent_fd,
		       const char *name)
{
	bool is_displaced;

	if (jp_sys->renameat2(staging->fd, staged_name, parent_fd, name, RENAME_EXCHANGE) == 0)
		return 0;
	return errno == EINVAL
		       ? put_by_link(staging, id, staged_name, parent_fd, name, true, &is_displaced)
		       : -errno;
}

int jp_durable_put(struct jp_staging *staging, uint64_t id, char *staged_name, int parent_fd,
		   const char *name, bool *ret_displaced)
{
	/* Between the two calls somebody may make the file, or remove it: then once more. */
	for (int tries = 0; tries < 10; tries++) {
		*ret_displaced = true;
		if (jp_sys->renameat2(staging->fd, staged_name, parent_fd, name, RENAME_EXCHANGE) ==
		    0)
			return 0;
		*ret_displaced = false;
		if (errno == EINVAL)
			return put_by_link(staging, id, staged_name, parent_fd, name, false,
					   ret_displaced);
		if (errno != ENOENT)
			return -errno;
		if (jp_sys->renameat2(staging->fd, staged_name, parent_fd, name,
				      RENAME_NOREPLACE) == 0)
			return 0;
		/* There was nothing to exchange it with, so it is only now that it says no. */
		if (errno == EINVAL)
			return put_by_link(staging, id, staged_name, parent_fd, name, false,
					   ret_displaced);
		if (errno != EEXIST)
			return -errno;
	}
	return -EAGAIN;
}
