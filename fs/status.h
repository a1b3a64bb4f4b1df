/* `.jpfs/status.json`: what a mount tells about itself. */
#pragma once

#include "fs/object.h"

#include <sys/stat.h>

/* What this mount is, serves and has done, as JSON with a final newline: a new object each time. */
must_check int jpfs_status_lookup(struct jpfs_view *view, struct jpfs_object **ret);
void jpfs_status_stat(const struct jpfs_object *object, struct stat *st);
ssize_t jpfs_status_read(const struct jpfs_object *object, char *buffer, size_t size, off_t offset);
void jpfs_status_forget(struct jpfs_object *object);
