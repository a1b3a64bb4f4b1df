/*
 * What is no conversation: it passes through to the workspace's directory, with full POSIX behaviour.
 */
#pragma once

#include "fs/beneath.h"
#include "fs/listing.h"
#include "fs/object.h"

struct jpfs_outsider {
	struct jpfs_object object;
	struct jpfs_view *view; /* immutable */
	/* protected by view->table */
	struct jpfs_object *parent; /* a reference */
	char *name;
	bool is_linked;
	int fd; /* open while opened, -EBADF otherwise; protected by view->table */
	unsigned opens;
};

/* Where a name (or "": the directory itself) lies in an object that is a directory on the workspace's
 * side: a descriptor to start from, borrowed, and the path from there. */
must_check int jpfs_outside_path(struct jpfs_view *view, struct jpfs_object *directory,
				 const char *name, int *ret_root_fd, char ret[JPFS_PATH_BYTES]);
must_check int jpfs_outside_lookup(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, struct jpfs_object **ret);
must_check int jpfs_outside_stat(struct jpfs_view *view, struct jpfs_object *object,
				 struct stat *ret);
must_check int jpfs_outside_list(struct jpfs_view *view, struct jpfs_object *directory,
				 struct jpfs_listing *listing);
must_check int jpfs_outside_create(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_mknod(struct jpfs_view *view, struct jpfs_object *parent,
				  const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_mkdir(struct jpfs_view *view, struct jpfs_object *parent,
				  const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_symlink(struct jpfs_view *view, const char *target,
				    struct jpfs_object *parent, const char *name,
				    struct jpfs_object **ret);
must_check int jpfs_outside_unlink(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, bool is_directory);
must_check int jpfs_outside_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
				   const char *old_name, struct jpfs_object *new_parent,
				   const char *new_name, unsigned flags);
/* The object of a name has gone from there, or has another name now (new_parent not NULL). */
void jpfs_outside_moved(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			struct jpfs_object *new_parent, const char *new_name);
must_check int jpfs_outside_open(struct jpfs_view *view, struct jpfs_outsider *outsider);
void jpfs_outside_release(struct jpfs_view *view, struct jpfs_outsider *outsider);
/* An open descriptor of it, new: what is open is duplicated, anything else opened O_PATH. */
must_check int jpfs_outside_fd(struct jpfs_view *view, struct jpfs_outsider *outsider, int flags);
void jpfs_outside_forget(struct jpfs_outsider *outsider);
/* A name leads to another object than the one that the kernel has moved there. */
void jpfs_outside_tell_name(struct jpfs_view *view, struct jpfs_object *directory,
			    const char *name);
