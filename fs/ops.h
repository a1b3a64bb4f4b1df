/*
 * The requests of the kernel, by family.
 *
 * Each operation has a function that does the work and cannot reply, and an outer one that replies
 * exactly once, last, with no lock held. A reply that reached nobody is undone.
 */
#pragma once

#include "fs/channel.h"
#include "fs/fuse.h"
#include "fs/idle.h"
#include "fs/node.h"
#include "fs/view.h"

struct jpfs_connection;

/*
 * What fi->fh stands for: the beginning of a file's handle. The connection knows
 * them all, because the kernel releases none of them when a mount is taken away by force. They are
 * counted: the open file is one reference, each request that uses it another.
 */
struct jpfs_handle {
	struct jpfs_connection *connection; /* immutable */
	atomic_uint refs;
	struct jpfs_handle *next, **link; /* protected by connection->handles_lock */
	void (*destroy)(struct jpfs_handle *handle);
};

/* A directory's listing, while somebody reads it. */
struct jpfs_reading {
	uint64_t nodeid; /* 0: none */
	uint64_t used;   /* when it was read from last */
	struct jpfs_listing listing;
};

/* How many directories can be read in turn without listing one of them anew. */
#define JPFS_READINGS 16

/* One connection to the kernel; what fuse_req_userdata() gives. */
struct jpfs_connection {
	struct jpfs_view *view;
	struct jpfs_channel channel;
	struct jpfs_idle *idle; /* borrowed; immutable once it is served */
	struct jpfs_nodes nodes;
	pthread_mutex_t handles_lock; /* a leaf */
	struct jpfs_handle *handles;  /* protected by handles_lock */
	/* Opening a directory, a file, is no request; immutable once served. */
	bool needs_no_opendir, needs_no_open;
	pthread_mutex_t readings_lock; /* a leaf */
	/* protected by readings_lock */
	struct jpfs_reading readings[JPFS_READINGS];
	uint64_t readings_used;
	uint64_t transcript_nodeid; /* the transcript that was read last; 0: none */
	int transcript_fd;          /* its text; owned */
	/* Called when the view has become empty, before the answer: session.c. */
	void (*became_empty)(struct jpfs_connection *connection);
};

/* The connection that a request came by; it is in use now. */
struct jpfs_connection *jpfs_connection_of(fuse_req_t req);
/* Whether our own second process asks: what it wants to change is not meant (companion.h). */
bool jpfs_is_companion(fuse_req_t req);
void jpfs_connection_init(struct jpfs_connection *connection, struct jpfs_view *view,
			  struct jpfs_idle *idle);
/* No request is under way any more: let go of whatever the kernel still held. */
void jpfs_connection_release(struct jpfs_connection *connection);

/*
 * Find a name in a directory.
 *
 * Shape:   ret       a new reference
 *          ret_keep  for how many seconds the kernel may keep that there is nothing; set also with
 *                    -ENOENT
 * Returns: 0; -ENOENT; another -errno.
 */
must_check int jpfs_lookup(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			   struct jpfs_object **ret, double *ret_keep);
/* op_dir.c: let go of the listings under way. */
void jpfs_readings_release(struct jpfs_connection *connection);
/* What is agreed on with the kernel when it connects. */
void jpfs_connection_negotiate(struct jpfs_connection *connection, struct fuse_conn_info *kernel);

void jpfs_handle_add(struct jpfs_connection *connection, struct jpfs_handle *handle,
		     void (*destroy)(struct jpfs_handle *handle));
/* The handle of a request, referred to until the end of the scope. */
struct jpfs_handle *jpfs_handle_get(fuse_req_t req, const struct fuse_file_info *file);
void jpfs_handle_putp(struct jpfs_handle **handle);
#define cleanup_handle __attribute__((cleanup(jpfs_handle_putp)))
/* The open file is closed. */
void jpfs_handle_close(struct jpfs_handle *handle);

/* A name in a conversation, put together under its lock. */
struct jpfs_inner_place {
	struct jpfs_conversation *conversation; /* borrowed from the parent */
	char path[JPFS_PATH_BYTES];
};

/* Where a child of `parent` is, if parent is (in) a conversation: 0; -ENOENT it is not;
 * -ENAMETOOLONG; -ESTALE the parent is gone. */
must_check int jpfs_inner_place(struct jpfs_object *parent, const char *name,
				struct jpfs_inner_place *ret);

must_check int jpfs_object_stat(struct jpfs_view *view, struct jpfs_object *object,
				struct stat *ret);
/* For how many seconds the kernel may keep what it is told. */
struct jpfs_keep {
	double name, attributes;
};
/* Before anybody is told of a single conversation: its sides are brought together, if they were not. (A
 * listing of many only describes them, as they are; whoever goes on into one asks again.) */
void jpfs_bring_together(struct jpfs_object *object);
/* The same, for the kernel: what may be kept of it, and of the name that led to it, is noted
 * (told.h). */
must_check int jpfs_tell_object(struct jpfs_view *view, struct jpfs_object *object, bool with_name,
				struct stat *ret, struct jpfs_keep *ret_keep);

/* reply.c: the outer halves that several operations share. */
void jpfs_reply_result(fuse_req_t req, const char *operation, int r); /* 0 or -errno */
void jpfs_reply_entry(fuse_req_t req, const char *operation, int r, struct jpfs_object *object);
/* The same with what jpfs_make_entry() has made. */
void jpfs_reply_made(fuse_req_t req, const char *operation, int r,
		     const struct fuse_entry_param *entry);
/* The object's entry for the kernel, counted as looked up. */
must_check int jpfs_make_entry(struct jpfs_connection *connection, struct jpfs_object *object,
			       struct fuse_entry_param *ret);

void jpfs_op_init(void *userdata, struct fuse_conn_info *connection);
void jpfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void jpfs_op_forget(fuse_req_t req, fuse_ino_t nodeid, uint64_t nlookup);
void jpfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void jpfs_op_getattr(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_setattr(fuse_req_t req, fuse_ino_t nodeid, struct stat *attr, int to_set,
		     struct fuse_file_info *file);
void jpfs_op_statfs(fuse_req_t req, fuse_ino_t nodeid);
void jpfs_op_readlink(fuse_req_t req, fuse_ino_t nodeid);
void jpfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void jpfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void jpfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void jpfs_op_link(fuse_req_t req, fuse_ino_t nodeid, fuse_ino_t new_parent, const char *new_name);
void jpfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void jpfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void jpfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		    const char *new_name, unsigned int flags);
void jpfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		    struct fuse_file_info *file);
void jpfs_op_open(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_read(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
		  struct fuse_file_info *file);
void jpfs_op_write(fuse_req_t req, fuse_ino_t nodeid, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *file);
void jpfs_op_flush(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_release(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_fsync(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *file);
void jpfs_op_fallocate(fuse_req_t req, fuse_ino_t nodeid, int mode, off_t offset, off_t length,
		       struct fuse_file_info *file);
void jpfs_op_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_readdir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
		     struct fuse_file_info *file);
void jpfs_op_readdirplus(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
			 struct fuse_file_info *file);
void jpfs_op_releasedir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file);
void jpfs_op_fsyncdir(fuse_req_t req, fuse_ino_t nodeid, int data_only,
		      struct fuse_file_info *file);
void jpfs_op_setxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, const char *value,
		      size_t size, int flags);
void jpfs_op_getxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, size_t size);
void jpfs_op_listxattr(fuse_req_t req, fuse_ino_t nodeid, size_t size);
void jpfs_op_removexattr(fuse_req_t req, fuse_ino_t nodeid, const char *name);
