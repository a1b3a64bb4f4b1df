/* Finding names: LOOKUP and FORGET. */
#include "fs/ahead.h"
#include "fs/heap.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/repeat.h"
#include "fs/told.h"
#include "fs/transcripts.h"
#include "include/jpfs.h"

#include <string.h>

void jpfs_op_init(void *userdata, struct fuse_conn_info *connection)
{
	/* O_TRUNC as a change of size of its own: one path for all truncations. */
	connection->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
	/* Always with what each name leads to. Whoever lists asks for that next, but for a plain `ls`; and
	 * the kernel, which decides by what was asked for before (AUTO), knows too late: a first walk
	 * reads the whole root before it looks at anything in it. */
	connection->want |= FUSE_CAP_READDIRPLUS & connection->capable;
	connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* Else each write asks for security.capability. What this leaves to us, entry_write.c does. */
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2 /* libfuse 3.15 */
	if ((connection->capable & FUSE_CAP_HANDLE_KILLPRIV_V2) != 0)
		connection->want |= FUSE_CAP_HANDLE_KILLPRIV_V2;
#endif
	jpfs_connection_negotiate(userdata, connection);
}

/* Whether a name that is not there outside of conversations can come there only through the mount. */
static bool stays_absent(struct jpfs_view *view, const struct jpfs_object *parent, const char *name)
{
	if (view->notify == NULL)
		return false;
	if (parent->kind == JPFS_OUTSIDER)
		return true;
	return jpfs_is_partition(parent) && !(name[0] >= '0' && name[0] <= '9') &&
	       strcmp(name, JPFS_CONTROL_NAME) != 0 && strcmp(name, JP_ARCHIVE_NAME) != 0 &&
	       !jpfs_is_temporary_name(name);
}

int jpfs_lookup(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		struct jpfs_object **ret, double *ret_keep)
{
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;
	int r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	*ret_keep = stays_absent(view, parent, name) ? JPFS_KEEP_SECONDS : 0;
	switch (parent->kind) {
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
		jpfs_second_take_in(view, parent, name);
		return jpfs_partition_lookup(view, parent, name, ret);
	case JPFS_OUTSIDER:
		return jpfs_outside_lookup(view, parent, name, ret);
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		return jpfs_local_lookup(view, parent, name, ret);
	case JPFS_CONTROL:
		if (strcmp(name, JPFS_LOCAL_NAME) == 0) {
			*ret = jpfs_object_ref(&view->local);
			return 0;
		}
		if (strcmp(name, JPFS_HISTORY_NAME) == 0) {
			*ret = jpfs_object_ref(&view->history);
			return 0;
		}
		if (strcmp(name, JPFS_TRANSCRIPTS_NAME) == 0) {
			*ret = jpfs_object_ref(&view->transcripts);
			return 0;
		}
		return strcmp(name, JPFS_STATUS_NAME) == 0 ? jpfs_status_lookup(view, ret)
							   : -ENOENT;
	case JPFS_HISTORY:
	case JPFS_KEPT_OF:
		return jpfs_kept_lookup(view, parent, name, ret);
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
		return jpfs_transcript_lookup(view, parent, name, ret);
	case JPFS_CONVERSATION:
	case JPFS_ENTRY:
		break;
	case JPFS_KEPT:
	case JPFS_TRANSCRIPT:
	case JPFS_STATUS:
		return -ENOTDIR;
	}
	r = jpfs_inner_place(parent, name, &place);
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		r = jpfs_entry_lookup_locked(place.conversation, place.path, &entry);
		if (r == -ENOENT)
			*ret_keep = jpfs_tell_absence_locked(place.conversation, place.path);
	}
	if (r == 0)
		*ret = &entry->object;
	return r;
}

/* Whether a file came that the companion is about to make: it has to find nothing. */
static bool is_to_be_made(struct jpfs_object *parent, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	const struct jpfs_entry *entry;
	struct jpfs_inner_place place;

	if (jpfs_inner_place(parent, name, &place) < 0)
		return false;
	held = jpfs_conversation_lock(place.conversation);
	entry = jpfs_entry_live_locked(place.conversation, place.path);
	/* Being written here, it may be asked for its writer: then it is there. */
	return (entry == NULL || entry->home != JPFS_STAGED) &&
	       jpfs_repeat_is_sent_locked(place.conversation, place.path, JPFS_CAME);
}

/*
 * Whether a file went that the companion is about to unlink: the kernel may know by itself that it is
 * not there, because somebody else has asked for it, and then nobody would be told. So it has to find
 * something, and finds what the name led to, if anybody still has that.
 */
static bool find_gone(struct jpfs_object *parent, const char *name, struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;

	if (jpfs_inner_place(parent, name, &place) < 0)
		return false;
	held = jpfs_conversation_lock(place.conversation);
	if (!jpfs_repeat_is_sent_locked(place.conversation, place.path, JPFS_WENT))
		return false;
	if (jpfs_entry_gone_locked(place.conversation, place.path, &entry) < 0)
		return false; /* no memory: nobody is told */
	*ret = &entry->object;
	return true;
}

static int make_gone_entry(struct jpfs_connection *connection, struct jpfs_object *object,
			   struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){.ino = object->serial};
	/* Of what nobody has open there may be no bytes any more, and nobody to miss them. */
	if (jpfs_object_stat(connection->view, object, &ret->attr) < 0)
		ret->attr = (struct stat){.st_ino = object->serial, .st_mode = S_IFREG | 0600};
	ret->attr.st_nlink = 1;
	return jpfs_node_remember(&connection->nodes, object);
}

void jpfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	struct fuse_entry_param entry;
	int r = -ESTALE;

	/* What was found may be gone before it is described, because somebody is replacing it in the
	 * store: once more each time. */
	for (int tries = 0; tries < 10 && r == -ESTALE && directory != NULL; tries++) {
		cleanup_object struct jpfs_object *object = NULL;
		double keep = 0;

		r = jpfs_is_companion(req) && is_to_be_made(directory, name)
			    ? -ENOENT
			    : jpfs_lookup(connection->view, directory, name, &object, &keep);
		if (r == -ENOENT && jpfs_is_companion(req) && find_gone(directory, name, &object)) {
			r = make_gone_entry(connection, object, &entry);
			break;
		}
		if (r == -ENOENT && keep > 0) {
			entry = (struct fuse_entry_param){.entry_timeout = keep};
			(void)fuse_reply_entry(req,
					       &entry); /* the asker is gone: nothing to undo */
			return;
		}
		if (r < 0)
			continue;
		if (object->kind == JPFS_ENTRY)
			jpfs_ahead_asked(connection->view);
		jpfs_bring_together(object);
		r = jpfs_make_entry(connection, object, &entry);
	}
	jpfs_reply_made(req, "lookup", r, &entry);
}

void jpfs_op_forget(fuse_req_t req, fuse_ino_t nodeid, uint64_t nlookup)
{
	/* Nobody's use of the mount: the kernel does so in its own time. */
	struct jpfs_connection *connection = fuse_req_userdata(req);

	jpfs_node_forget(&connection->nodes, nodeid, nlookup);
	fuse_reply_none(req);
	jpfs_heap_freed(1);
}

void jpfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct jpfs_connection *connection = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		jpfs_node_forget(&connection->nodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
	jpfs_heap_freed((unsigned)count);
}
