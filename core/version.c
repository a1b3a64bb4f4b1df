/* One question for the three managed files. See version.h. */
#include "core/version.h"

#include "core/base/io.h"
#include "core/metadata.h"
#include "core/stream.h"

int jp_version_is_contained(enum jp_managed managed, int old_fd, int new_fd)
{
	int r = jp_same_content(old_fd, new_fd);

	if (r != 0)
		return r;
	if (managed == JP_EVENTS)
		return jp_stream_contains(old_fd, new_fd);
	return managed == JP_METADATA ? jp_metadata_is_earlier(old_fd, new_fd) : 0;
}
