/*
 * Listing: OPENDIR, READDIR, FSYNCDIR.
 *
 * The kernel keeps listings, and opening a directory is no request where it can be spared (since
 * Linux 5.1): a listing that is kept is read without us. So a directory has no handle here. A reader
 * goes on by an offset, and what that means must not change when names come and go in between, or
 * another reader begins: an entry's offset is a hash of its name, and the entries are in the order of
 * that. (Before all others come conversations, in the order of their IDs: most walks go by the name, and so
 * meet them in the same order, whether they sort or not.) The listing itself is made once for each
 * reading from the beginning, and kept until it has been read to the end, or others push it out.
 */
#include "core/conversation_id.h"
#include "fs/ahead.h"
#include "fs/glance.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/told.h"
#include "fs/transcripts.h"
#include "include/jpfs.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Offsets of "." and ".."; hashes are above. */
#define OFFSET_SELF 1
#define OFFSET_PARENT 2
/* The largest ID has 37 bits. */
#define HASH_BITS 24
#define OFFSET_OTHERS (1ULL << 61)

static int list(struct jpfs_view *view, struct jpfs_object *object, struct jpfs_listing *listing)
{
	struct jpfs_inner_place place;
	int r;

	switch (object->kind) {
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
		return jpfs_partition_list(view, object, listing);
	case JPFS_OUTSIDER:
		return jpfs_outside_list(view, object, listing);
	case JPFS_CONTROL:
		r = jpfs_listing_add(listing, JPFS_HISTORY_NAME, view->history.serial, S_IFDIR);
		if (r == 0)
			r = jpfs_listing_add(listing, JPFS_LOCAL_NAME, view->local.serial, S_IFDIR);
		if (r == 0)
			r = jpfs_listing_add(listing, JPFS_TRANSCRIPTS_NAME,
					     view->transcripts.serial, S_IFDIR);
		return r < 0 ? r
			     : jpfs_listing_add(listing, JPFS_STATUS_NAME, view->status_ino,
						S_IFREG);
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		return jpfs_local_list(view, object, listing);
	case JPFS_HISTORY:
	case JPFS_KEPT_OF:
		return jpfs_kept_list(view, object, listing);
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
		return jpfs_transcript_list(view, object, listing);
	case JPFS_CONVERSATION: {
		struct jpfs_conversation *conversation = jpfs_as_conversation(object);
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);

		r = jpfs_conversation_list(conversation, "", listing);
		if (r == 0)
			jpfs_tell_listing_locked(conversation, listing);
		return r;
	}
	case JPFS_ENTRY:
		break;
	case JPFS_KEPT:
	case JPFS_TRANSCRIPT:
	case JPFS_STATUS:
		return -ENOTDIR;
	}
	/* The directory's own path: that of a nameless child, less the slash. */
	r = jpfs_inner_place(object, "", &place);
	if (r < 0)
		return r == -ESTALE ? 0 : r; /* removed while open: empty */
	place.path[strlen(place.path) - 1] = '\0';
	return jpfs_conversation_list(place.conversation, place.path, listing);
}

/* ---- listings under way ---- */

static int compare_offsets(const void *first, const void *second)
{
	const struct jpfs_listed *a = first, *b = second;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Of a name of a conversation: the ID, and some bits of the hash for a second one of the same. */
static off_t offset_of(const char *name)
{
	uint64_t hash = XXH3_64bits(name, strlen(name)), id;

	if (jp_conversation_id_parse(name, &id) == 0)
		return (off_t)((id + 1) << HASH_BITS | hash >> (64 - HASH_BITS));
	return (off_t)(OFFSET_OTHERS | hash >> 3);
}

static void put_in_order(struct jpfs_listing *listing)
{
	off_t last = OFFSET_PARENT;

	for (size_t i = 0; i < listing->count; i++)
		listing->items[i].offset = offset_of(listing->items[i].name);
	if (listing->count > 0)
		qsort(listing->items, listing->count, sizeof(*listing->items), compare_offsets);
	/* No two have the same, and none that of a dot. */
	for (size_t i = 0; i < listing->count; i++) {
		if (listing->items[i].offset <= last)
			listing->items[i].offset = last + 1;
		last = listing->items[i].offset;
	}
}

static void release_reading(struct jpfs_reading *reading)
{
	jpfs_listing_release(&reading->listing);
	*reading = (struct jpfs_reading){0};
}

void jpfs_readings_release(struct jpfs_connection *connection)
{
	for (size_t i = 0; i < JPFS_READINGS; i++)
		release_reading(&connection->readings[i]);
}

/* The listing of a directory that is being read; readings_lock is held. NULL: none is under way. */
static struct jpfs_reading *find_reading_locked(struct jpfs_connection *connection, uint64_t nodeid)
{
	for (size_t i = 0; i < JPFS_READINGS; i++) {
		if (connection->readings[i].nodeid == nodeid)
			return &connection->readings[i];
	}
	return NULL;
}

/* Take what is read less recently than the others. */
static struct jpfs_reading *replace_reading_locked(struct jpfs_connection *connection,
						   uint64_t nodeid)
{
	struct jpfs_reading *oldest = find_reading_locked(connection, nodeid);

	for (size_t i = 0; oldest == NULL || (oldest->nodeid != nodeid && i < JPFS_READINGS); i++) {
		if (oldest == NULL || connection->readings[i].used < oldest->used)
			oldest = &connection->readings[i];
	}
	release_reading(oldest);
	oldest->nodeid = nodeid;
	return oldest;
}

/* Whoever lists an empty view may be about to remove it, and would meet a mount. */
static void note_emptiness(struct jpfs_connection *connection, const struct jpfs_object *object,
			   const struct jpfs_listing *listing)
{
	if (object->kind == JPFS_ROOT && listing->count == 0 &&
	    jpfs_view_is_empty(connection->view))
		connection->became_empty(connection);
}

/* ---- the requests ---- */

void jpfs_op_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);

	(void)nodeid;
	if (connection->needs_no_opendir) {
		(void)fuse_reply_err(req, ENOSYS); /* never again */
		return;
	}
	file->cache_readdir = file->keep_cache = connection->view->notify != NULL;
	(void)fuse_reply_open(req, file); /* the asker is gone: nothing to undo */
}

void jpfs_op_releasedir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	(void)jpfs_connection_of(req);
	(void)nodeid;
	(void)file;
	jpfs_reply_result(req, "releasedir", 0);
}

static size_t add(fuse_req_t req, char *buffer, size_t used, size_t size, const char *name,
		  ino_t ino, mode_t type, off_t offset)
{
	/* Some readers take 0 for a removed entry. */
	const struct stat st = {.st_ino = ino != 0 ? ino : 1, .st_mode = type};

	return fuse_add_direntry(req, buffer + used, size - used, name, &st, offset);
}

static size_t first_after(const struct jpfs_listing *listing, off_t offset)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listing->items[middle].offset > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Fill the buffer from the first entry after `offset`. */
static size_t fill(fuse_req_t req, const struct jpfs_object *object,
		   const struct jpfs_listing *listing, off_t offset, char *buffer, size_t size)
{
	size_t used = 0;

	for (off_t dot = offset + 1; dot <= OFFSET_PARENT; dot++) {
		size_t needed = add(req, buffer, used, size, dot == OFFSET_SELF ? "." : "..",
				    object->serial, S_IFDIR, dot);

		if (needed > size - used)
			return used;
		used += needed;
	}
	for (size_t i = first_after(listing, offset); i < listing->count; i++) {
		const struct jpfs_listed *item = &listing->items[i];
		size_t needed = add(req, buffer, used, size, item->name, item->ino, item->type,
				    item->offset);

		if (needed > size - used)
			break;
		used += needed;
	}
	return used;
}

/* All that a directory has now, in order. `ret` tells whether it is to come with its objects. */
static int list_in_order(struct jpfs_view *view, struct jpfs_object *object,
			 struct jpfs_listing *ret)
{
	int r = list(view, object, ret);

	if (r < 0)
		jpfs_listing_release(ret);
	else
		put_in_order(ret);
	return r;
}

/*
 * What a reader who begins is going to read.
 *
 * Shape:   ret  whether it is to come with its objects; or the listing itself, if that was made ahead
 */
static int list_anew(struct jpfs_connection *connection, struct jpfs_object *object,
		     struct jpfs_listing *ret)
{
	int r;

	if (ret->count > 0) {
		jpfs_tell_listing_locked(jpfs_as_conversation(object), ret);
		put_in_order(ret);
		return 0;
	}
	r = list_in_order(connection->view, object, ret);
	if (r == 0)
		note_emptiness(connection, object, ret);
	if (r == 0 && jpfs_is_partition(object))
		jpfs_ahead_listed(connection->view, ret);
	return r;
}

/*
 * The listing under way of a directory, made anew where it is read from the beginning.
 *
 * Shape:   fresh     as with list_anew(); it goes
 *          ret_held  readings_lock, held when this returns 0
 */
static int begin_reading(struct jpfs_connection *connection, struct jpfs_object *object,
			 uint64_t nodeid, off_t offset, struct jpfs_listing *fresh,
			 pthread_mutex_t **ret_held, struct jpfs_reading **ret)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_reading *reading;
	int r = 0;

	/* From the beginning: what has come and gone since is to be seen. */
	if (offset == 0)
		r = list_anew(connection, object, fresh);
	held = jp_lock(&connection->readings_lock);
	reading = find_reading_locked(connection, nodeid);
	if (r == 0 && offset != 0 && reading == NULL) {
		jp_unlockp(&held);
		r = list_in_order(connection->view, object, fresh);
		held = jp_lock(&connection->readings_lock);
	}
	if (r < 0)
		return r;
	if (offset == 0 || reading == NULL) {
		reading = replace_reading_locked(connection, nodeid);
		reading->listing = *fresh;
		*fresh = (struct jpfs_listing){0};
	}
	reading->used = ++connection->readings_used;
	*ret_held = TAKE_PTR(held);
	*ret = reading;
	return 0;
}

/* The reader goes on, and has read all: there is nothing to be looked at for that. */
static bool is_at_end(struct jpfs_connection *connection, uint64_t nodeid, off_t offset)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&connection->readings_lock);
	struct jpfs_reading *reading = find_reading_locked(connection, nodeid);

	if (reading == NULL || offset < OFFSET_PARENT ||
	    first_after(&reading->listing, offset) < reading->listing.count)
		return false;
	release_reading(reading);
	return true;
}

void jpfs_op_readdir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
		     struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	cleanup_free char *buffer = malloc(size);
	__attribute__((cleanup(jpfs_listing_release))) struct jpfs_listing fresh = {0};
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_reading *reading;
	size_t used;
	int r = object == NULL ? -ESTALE : buffer == NULL ? -ENOMEM : 0;

	(void)file;
	if (r == 0)
		r = begin_reading(connection, object, nodeid, offset, &fresh, &held, &reading);
	if (r < 0) {
		jpfs_reply_result(req, "readdir", r);
		return;
	}
	used = fill(req, object, &reading->listing, offset, buffer, size);
	if (used == 0)
		release_reading(reading); /* read to its end */
	jp_unlockp(&held);
	(void)fuse_reply_buf(req, buffer, used); /* the asker is gone: nothing to undo */
}

/* ---- with what each name leads to ---- */

/*
 * Whoever lists conversations gets them as they are. But what was brought together is safe: a version that
 * only the store has is held from then on, whatever jp does to it. So a listing does that for what there is
 * time for when it begins, which is all of a view that is not large; the others follow when somebody goes on
 * into them, or in the background.
 */
#define DESCRIBE_MS 5

/* What the names of a directory lead to is at hand. (A transcript would have to be made.) */
static bool is_described(const struct jpfs_object *directory)
{
	switch (directory->kind) {
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
	case JPFS_OUTSIDER:
	case JPFS_CONVERSATION:
	case JPFS_ENTRY:
		return true;
	default:
		return false;
	}
}

/* An entry without a nodeid is a name like that of READDIR. */
static struct fuse_entry_param name_alone(const struct jpfs_listed *item)
{
	return (struct fuse_entry_param){
		.attr = {.st_ino = item->ino != 0 ? item->ino : 1, .st_mode = item->type}};
}

/* What a name leads to; or the name alone. */
static void describe(struct jpfs_connection *connection, struct jpfs_object *directory,
		     struct jpfs_listed *item, int64_t until_ms, struct fuse_entry_param *ret)
{
	cleanup_object struct jpfs_object *object = TAKE_PTR(item->object);
	struct fuse_entry_param entry;
	double keep;

	*ret = name_alone(item);
	if (!is_described(directory) ||
	    (object == NULL &&
	     jpfs_lookup(connection->view, directory, item->name, &object, &keep) < 0))
		return;
	if (jpfs_now_ms() < until_ms)
		jpfs_bring_together(object);
	if (jpfs_make_entry(connection, object, &entry) == 0)
		*ret = entry;
}

/*
 * Copies of the entries after `offset` that fit into so many bytes, to be described without readings_lock.
 * The objects go with them: one that is told of at a later request is looked for then. They are all of
 * the conversation whose lock the caller has, so that any of them may go here.
 */
static int copy_next_locked(fuse_req_t req, struct jpfs_listing *listing, off_t offset, size_t size,
			    struct jpfs_listing *ret)
{
	size_t used = 0;
	int r = 0;

	ret->with_objects = true;
	for (size_t i = first_after(listing, offset); i < listing->count && r == 0; i++) {
		struct jpfs_listed *item = &listing->items[i];

		used += fuse_add_direntry_plus(req, NULL, 0, item->name, NULL, 0);
		if (used > size)
			break;
		r = jpfs_listing_add(ret, item->name, item->ino, item->type);
		if (r < 0)
			break;
		ret->items[ret->count - 1].offset = item->offset;
		ret->items[ret->count - 1].object = TAKE_PTR(item->object);
	}
	jpfs_listing_drop_objects(listing);
	return r;
}

/* That many are enough for these, and the dots. */
static size_t bytes_of(fuse_req_t req, const struct jpfs_listing *next)
{
	size_t bytes = 2 * fuse_add_direntry_plus(req, NULL, 0, "..", NULL, 0);

	for (size_t i = 0; i < next->count; i++)
		bytes += fuse_add_direntry_plus(req, NULL, 0, next->items[i].name, NULL, 0);
	return bytes;
}

/* How many bytes; each entry's `ino` is the nodeid then, of which one lookup was counted, or 0. */
static size_t fill_plus(fuse_req_t req, struct jpfs_connection *connection,
			struct jpfs_object *object, struct jpfs_listing *next, bool names_only,
			off_t offset, char *buffer, size_t size)
{
	int64_t until_ms = offset == 0 ? jpfs_now_ms() + DESCRIBE_MS : 0;
	size_t used = 0, i;

	for (off_t dot = offset + 1; dot <= OFFSET_PARENT; dot++) {
		const struct fuse_entry_param self = {
			.attr = {.st_ino = object->serial, .st_mode = S_IFDIR}};
		size_t needed = fuse_add_direntry_plus(req, buffer + used, size - used,
						       dot == OFFSET_SELF ? "." : "..", &self, dot);

		if (needed > size - used)
			size = used; /* no room for others either */
		else
			used += needed;
	}
	for (i = 0; i < next->count; i++) {
		struct jpfs_listed *item = &next->items[i];
		struct fuse_entry_param entry;

		if (fuse_add_direntry_plus(req, NULL, 0, item->name, NULL, 0) > size - used)
			break;
		if (names_only)
			entry = name_alone(item);
		else
			describe(connection, object, item, until_ms, &entry);
		used += fuse_add_direntry_plus(req, buffer + used, size - used, item->name, &entry,
					       item->offset);
		item->ino = entry.ino;
	}
	while (i < next->count)
		next->items[i++].ino = 0;
	return used;
}

/* The kernel never got it. */
static void forget_all(struct jpfs_connection *connection, const struct jpfs_listing *told)
{
	for (size_t i = 0; i < told->count; i++) {
		if (told->items[i].ino != 0)
			jpfs_node_forget(&connection->nodes, told->items[i].ino, 1);
	}
}

void jpfs_op_readdirplus(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
			 struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	struct jpfs_conversation *conversation =
		object != NULL ? jpfs_as_conversation(object) : NULL;
	cleanup_free char *buffer = NULL;
	__attribute__((cleanup(jpfs_listing_release))) struct jpfs_listing next = {0};
	__attribute__((cleanup(jpfs_listing_release))) struct jpfs_listing fresh = {
		.with_objects = conversation != NULL};
	cleanup_unlock pthread_mutex_t *in_conversation = NULL, *held = NULL;
	struct jpfs_glance glance = JPFS_GLANCE_INIT;
	struct jpfs_reading *reading;
	bool names_only = false;
	size_t used = 0;
	int r = object == NULL ? -ESTALE : 0;

	(void)file;
	if (r == 0 && is_at_end(connection, nodeid, offset)) {
		(void)fuse_reply_buf(req, NULL, 0); /* the asker is gone: nothing to undo */
		return;
	}
	if (r == 0 && conversation != NULL) {
		in_conversation = jpfs_ahead_enter(conversation, &glance, &fresh);
		if (offset == 0)
			names_only = jpfs_ahead_entered(connection->view, conversation);
	}
	if (r == 0)
		r = begin_reading(connection, object, nodeid, offset, &fresh, &held, &reading);
	if (r == 0) {
		r = copy_next_locked(req, &reading->listing, offset, size, &next);
		if (r == 0 && next.count == 0 && offset >= OFFSET_PARENT)
			release_reading(reading); /* read to its end */
		jp_unlockp(&held);
	}
	if (r == 0) {
		size_t needed = bytes_of(req, &next);

		size = needed < size ? needed : size;
		buffer = malloc(size);
		r = buffer == NULL ? -ENOMEM : 0;
	}
	if (r == 0)
		used = fill_plus(req, connection, object, &next, names_only, offset, buffer, size);
	jpfs_glance_end(&glance);
	jp_unlockp(&in_conversation);
	if (r < 0)
		jpfs_reply_result(req, "readdirplus", r);
	else if (fuse_reply_buf(req, buffer, used) < 0)
		forget_all(connection, &next);
}

static int sync_directory(struct jpfs_view *view, struct jpfs_object *object)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);
	struct jpfs_entry *entry = jpfs_as_entry(object);

	if (entry != NULL)
		conversation = entry->conversation;
	/* The root stands for everything: `jpfs umount` asks this way. */
	if (conversation == NULL)
		return jpfs_work_flush(view, false);
	return jpfs_sync_conversation(conversation, entry);
}

void jpfs_op_fsyncdir(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	(void)data_only;
	(void)file;
	jpfs_reply_result(req, "fsyncdir",
			  object == NULL ? -ESTALE : sync_directory(connection->view, object));
}
