/*
 * Texts of conversations, made when somebody looks. See transcripts.h.
 *
 * The kernel wants to know a file's size before anybody reads it, and only making the text tells.
 * So a text is made at the first look, and kept for the next (fs/scratch.c); a table has the last
 * version of each conversation that was looked at.
 *
 * An object stands for one version and never changes: size and time are those of its text, and the
 * kernel may keep what it has read. Another version of the conversation's files, told by what stat
 * says of them, is another object at the next lookup. Who has the old one open goes on with that.
 *
 * A text for which there was no room is made again each time that it is opened.
 */
#include "fs/transcripts.h"

#include "core/base/io.h"
#include "core/conversation_id.h"
#include "core/transcript.h"
#include "fs/scratch.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SUFFIX ".md"

enum {
	SUFFIX_BYTES = sizeof(SUFFIX) - 1,
	BUFFER_BYTES = 64 * 1024,
	BLOCK_BYTES = 512, /* of st_blocks */
};

/* A version of a conversation's file. All zeros: there is none. */
struct file_version {
	ino_t ino;
	int64_t mtime_ns;
	off_t size;
	uint64_t generation; /* of one that is being written */
};

struct version {
	struct file_version files[JP_MANAGED_COUNT];
};

/* Immutable but for the reference count. */
struct jpfs_transcript {
	struct jpfs_object object;
	struct jpfs_view *view;
	uint64_t id;
	struct version version;
	struct timespec changed;
	off_t size;
	bool is_kept;
	struct jpfs_scratch_text text; /* if it is kept */
};

struct jpfs_transcripts {
	struct jpfs_scratch scratch;
	void *current; /* tree by ID of the last versions; each has a reference; view->table */
};

bool jpfs_is_transcript(const struct jpfs_object *object)
{
	return object->kind == JPFS_TRANSCRIPTS || object->kind == JPFS_TRANSCRIPTS_ARCHIVE ||
	       object->kind == JPFS_TRANSCRIPT;
}

static struct jpfs_transcript *as_transcript(struct jpfs_object *object)
{
	return (struct jpfs_transcript *)object;
}

/* ---- the table ---- */

static int compare_ids(const void *first, const void *second)
{
	uint64_t a = ((const struct jpfs_transcript *)first)->id;
	uint64_t b = ((const struct jpfs_transcript *)second)->id;

	return a < b ? -1 : a > b;
}

int jpfs_transcripts_open(struct jpfs_view *view)
{
	view->transcript_cache = calloc(1, sizeof(*view->transcript_cache));
	if (view->transcript_cache == NULL)
		return -ENOMEM;
	jpfs_scratch_init(&view->transcript_cache->scratch);
	return 0;
}

static void unref_transcript(void *transcript)
{
	jpfs_object_unref(&((struct jpfs_transcript *)transcript)->object);
}

void jpfs_transcripts_close(struct jpfs_view *view)
{
	if (view->transcript_cache == NULL)
		return;
	tdestroy(view->transcript_cache->current, unref_transcript);
	jpfs_scratch_release(&view->transcript_cache->scratch);
	free(view->transcript_cache);
	view->transcript_cache = NULL;
}

void jpfs_transcript_forget(struct jpfs_transcript *transcript)
{
	if (transcript->is_kept)
		jpfs_scratch_drop(&transcript->view->transcript_cache->scratch, &transcript->text);
	free(transcript);
}

static bool is_same(const struct version *first, const struct version *second)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct file_version *a = &first->files[i], *b = &second->files[i];

		if (a->ino != b->ino || a->mtime_ns != b->mtime_ns || a->size != b->size ||
		    a->generation != b->generation)
			return false;
	}
	return true;
}

/* The object of this version, if it is the last that was looked at; a new reference, or NULL. */
static struct jpfs_transcript *find_current(struct jpfs_view *view, uint64_t id,
					    const struct version *version)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	const struct jpfs_transcript key = {.id = id};
	struct jpfs_transcript **place = tfind(&key, &view->transcript_cache->current, compare_ids);

	if (place == NULL || !is_same(&(*place)->version, version))
		return NULL;
	jpfs_object_ref(&(*place)->object);
	return *place;
}

/* It is the last version from now on. Without memory for that, nobody will find it again. */
static void make_current(struct jpfs_transcript *transcript)
{
	struct jpfs_view *view = transcript->view;
	cleanup_object struct jpfs_object *before = NULL;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_transcript **place =
		tsearch(transcript, &view->transcript_cache->current, compare_ids);

	if (place == NULL)
		return;
	if (*place != transcript)
		before = &(*place)->object;
	*place = transcript;
	jpfs_object_ref(&transcript->object);
}

/* ---- the conversation ---- */

/* What a transcript is made of; all of it references. */
struct source {
	struct jpfs_conversation *conversation;
	struct version version;
	struct timespec changed;
	struct jpfs_content *contents[JP_MANAGED_COUNT];
};

static void release_source(struct source *source)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		jpfs_content_unrefp(&source->contents[i]);
	if (source->conversation != NULL)
		jpfs_object_unref(&source->conversation->object);
	source->conversation = NULL;
}
#define cleanup_source __attribute__((cleanup(release_source)))

static int look_at_file_locked(struct source *source, enum jp_managed which, bool with_content)
{
	struct file_version *version = &source->version.files[which];
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	struct stat st;
	int r = jpfs_entry_lookup_locked(source->conversation, jp_managed_name(which), &entry);

	*version = (struct file_version){0};
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	object = &entry->object;
	if (!S_ISREG(entry->type))
		return 0;
	r = jpfs_entry_stat_locked(entry, &st);
	if (r < 0)
		return r;
	*version = (struct file_version){
		.ino = entry->home == JPFS_STAGED ? entry->shown_ino : entry->version.ino,
		.mtime_ns = jp_mtime_ns(&st),
		.size = st.st_size,
		.generation = entry->home == JPFS_STAGED ? entry->generation + 1 : 0,
	};
	if (version->mtime_ns > source->changed.tv_sec * 1000000000 + source->changed.tv_nsec)
		source->changed = st.st_mtim;
	return with_content ? jpfs_entry_content_locked(entry, &source->contents[which]) : 0;
}

/* Find out which version is shown now; `with_contents`: and open its bytes. */
static int look_locked(struct source *source, bool with_contents)
{
	int r = 0;

	source->changed = (struct timespec){0};
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++)
		r = look_at_file_locked(source, (enum jp_managed)i, with_contents);
	return r;
}

/* The transcript of the version that is shown now, or what it can be made from. */
static int look(struct source *source, struct jpfs_transcript **ret_known)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(source->conversation);
	int r = look_locked(source, false);

	if (r < 0)
		return r;
	*ret_known = find_current(source->conversation->view, source->conversation->id,
				  &source->version);
	return *ret_known != NULL ? 0 : look_locked(source, true);
}

/* ---- making the text ---- */

/* Where it goes: kept, or into a descriptor, or only counted. */
struct making {
	struct jpfs_transcript *transcript;
	int fd; /* -EBADF: none */
	off_t size;
	char *buffer;
	size_t used;
};

static int write_out(struct making *making)
{
	struct jpfs_transcript *transcript = making->transcript;
	struct jpfs_scratch *scratch = &transcript->view->transcript_cache->scratch;
	bool is_in_memory = transcript->view->is_read_only;
	int r = 0;

	if (making->fd >= 0)
		r = jp_write_all(making->fd, making->buffer, making->used, making->size);
	else if (transcript->is_kept &&
		 jpfs_scratch_append(scratch,
				     is_in_memory ? -EBADF : transcript->view->silo->own_fd,
				     &transcript->text, making->buffer, making->used) < 0) {
		jpfs_scratch_drop(scratch, &transcript->text);
		transcript->is_kept = false;
	}
	making->size += (off_t)making->used;
	making->used = 0;
	return r;
}

static int take_piece(void *context, const struct jp_transcript_piece *piece)
{
	struct making *making = context;
	const char *text = piece->text;
	size_t left = piece->size;

	while (left > 0) {
		size_t n = BUFFER_BYTES - making->used;

		n = n < left ? n : left;
		memcpy(making->buffer + making->used, text, n);
		making->used += n;
		text += n;
		left -= n;
		if (making->used == BUFFER_BYTES) {
			int r = write_out(making);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int make_text(const struct source *source, struct making *making)
{
	struct jp_transcript_files files = {.id = source->conversation->id};
	cleanup_free char *buffer = malloc(BUFFER_BYTES);
	int fds[JP_MANAGED_COUNT], r;

	if (buffer == NULL)
		return -ENOMEM;
	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		fds[i] = source->contents[i] != NULL ? source->contents[i]->fd : -EBADF;
	files.metadata_fd = fds[JP_METADATA];
	files.base_config_fd = fds[JP_BASE_CONFIG];
	files.events_fd = fds[JP_EVENTS];
	making->buffer = buffer;
	r = jp_transcript_render(&files, take_piece, making);
	if (r == 0)
		r = write_out(making);
	making->buffer = NULL;
	return r;
}

static int make_transcript(const struct source *source, struct jpfs_object **ret)
{
	struct jpfs_view *view = source->conversation->view;
	struct jpfs_transcript *transcript = calloc(1, sizeof(*transcript));
	cleanup_object struct jpfs_object *object = NULL;
	struct making making = {.transcript = transcript, .fd = -EBADF};
	int r;

	if (transcript == NULL)
		return -ENOMEM;
	transcript->view = view;
	transcript->id = source->conversation->id;
	transcript->version = source->version;
	transcript->changed = source->changed.tv_sec != 0 ? source->changed : view->started;
	transcript->is_kept = true;
	jpfs_object_init(view, &transcript->object, JPFS_TRANSCRIPT);
	object = &transcript->object;
	r = make_text(source, &making);
	if (r < 0)
		return r;
	transcript->size = making.size;
	make_current(transcript);
	*ret = TAKE_PTR(object);
	return 0;
}

/* ---- names ---- */

static bool is_named(struct jpfs_conversation *conversation, const char *name, bool is_archived)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	char id[24];

	if (conversation->is_archived != is_archived)
		return false;
	if (strlen(conversation->name) <= NAME_MAX - SUFFIX_BYTES)
		return strcmp(conversation->name, name) == 0;
	(void)snprintf(id, sizeof(id), "%" PRIu64, conversation->id);
	return strcmp(id, name) == 0;
}

/* One that this worktree does not have; by its ID alone. */
static int find_local(struct jpfs_view *view, uint64_t id, struct jpfs_conversation **ret)
{
	char path[JP_CONVERSATION_PATH_BYTES];
	struct jpfs_object *object;
	const char *slash;
	bool is_archived;
	int r = jp_dir_index_find(view->durable_index, id, path, &is_archived);

	if (r < 0)
		return r;
	slash = strrchr(path, '/');
	r = jpfs_local_lookup(view, is_archived ? &view->local_archive : &view->local,
			      slash != NULL ? slash + 1 : path, &object);
	if (r == 0)
		*ret = jpfs_as_conversation(object);
	return r;
}

static int find_conversation(struct jpfs_view *view, const struct jpfs_object *place,
			     const char *name, struct jpfs_conversation **ret)
{
	struct jpfs_conversation *conversation;
	size_t size = strlen(name);
	char base[NAME_MAX + 1];
	uint64_t id;
	int r = 0;

	if (size <= SUFFIX_BYTES || size > NAME_MAX ||
	    strcmp(name + size - SUFFIX_BYTES, SUFFIX) != 0)
		return -ENOENT;
	(void)snprintf(base, sizeof(base), "%.*s", (int)(size - SUFFIX_BYTES), name);
	if (jp_conversation_id_parse(base, &id) < 0)
		return -ENOENT;
	conversation = jpfs_view_find(view, id);
	if (conversation == NULL)
		r = find_local(view, id, &conversation);
	if (r < 0)
		return r;
	if (!is_named(conversation, base, place->kind == JPFS_TRANSCRIPTS_ARCHIVE)) {
		jpfs_object_unref(&conversation->object);
		return -ENOENT;
	}
	*ret = conversation;
	return 0;
}

int jpfs_transcript_lookup(struct jpfs_view *view, struct jpfs_object *place, const char *name,
			   struct jpfs_object **ret)
{
	cleanup_source struct source source = {0};
	struct jpfs_transcript *known = NULL;
	int r;

	if (place->kind == JPFS_TRANSCRIPTS && strcmp(name, JP_ARCHIVE_NAME) == 0) {
		*ret = jpfs_object_ref(&view->transcripts_archive);
		return 0;
	}
	r = find_conversation(view, place, name, &source.conversation);
	if (r == 0)
		r = look(&source, &known);
	if (r < 0)
		return r;
	if (known != NULL) {
		*ret = &known->object;
		return 0;
	}
	return make_transcript(&source, ret);
}

static int add_name(struct jpfs_listing *listing, const char *name)
{
	char shown[NAME_MAX + 1];
	uint64_t id;

	if (jp_conversation_id_parse(name, &id) < 0)
		return 0; /* the archive, in a listing of what is local */
	if (strlen(name) <= NAME_MAX - SUFFIX_BYTES)
		(void)snprintf(shown, sizeof(shown), "%.*s" SUFFIX, NAME_MAX - SUFFIX_BYTES, name);
	else
		(void)snprintf(shown, sizeof(shown), "%" PRIu64 SUFFIX, id);
	return jpfs_listing_add(listing, shown, 0, S_IFREG);
}

int jpfs_transcript_list(struct jpfs_view *view, struct jpfs_object *place,
			 struct jpfs_listing *listing)
{
	bool is_archive = place->kind == JPFS_TRANSCRIPTS_ARCHIVE;
	struct jpfs_conversation **all = NULL;
	struct jpfs_listing local = {0};
	size_t count = 0;
	int r = jpfs_view_snapshot(view, &all, &count);

	for (size_t i = 0; i < count; i++) {
		char name[NAME_MAX + 1] = "";

		jpfs_conversation_lock(all[i]);
		if (all[i]->is_archived == is_archive)
			(void)snprintf(name, sizeof(name), "%s", all[i]->name);
		pthread_mutex_unlock(&all[i]->lock);
		if (r == 0 && name[0] != '\0' && jpfs_conversation_is_listed(all[i]))
			r = add_name(listing, name);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
	if (r == 0)
		r = jpfs_local_list(view, is_archive ? &view->local_archive : &view->local, &local);
	for (size_t i = 0; i < local.count && r == 0; i++)
		r = add_name(listing, local.items[i].name);
	jpfs_listing_release(&local);
	if (r == 0 && !is_archive)
		r = jpfs_listing_add(listing, JP_ARCHIVE_NAME, view->transcripts_archive.serial,
				     S_IFDIR);
	return r;
}

/* ---- what is there ---- */

void jpfs_transcript_stat(const struct jpfs_object *object, struct stat *st)
{
	const struct jpfs_transcript *transcript = (const struct jpfs_transcript *)object;

	st->st_size = transcript->size;
	st->st_blocks = (transcript->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
	st->st_mtim = st->st_atim = st->st_ctim = transcript->changed;
}

/* Make the text of a version that is still shown once more. */
static int make_again(struct jpfs_transcript *transcript, int fd)
{
	cleanup_source struct source source = {0};
	struct making making = {.transcript = transcript, .fd = fd};
	int r = 0;

	source.conversation = jpfs_view_find(transcript->view, transcript->id);
	if (source.conversation == NULL)
		r = find_local(transcript->view, transcript->id, &source.conversation);
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(source.conversation);

		r = look_locked(&source, true);
	}
	if (r == 0 && !is_same(&source.version, &transcript->version))
		r = -ESTALE;
	if (r == 0)
		r = make_text(&source, &making);
	return r == 0 && making.size != transcript->size ? -ESTALE : r;
}

int jpfs_transcript_open(struct jpfs_object *object, int *ret_fd)
{
	struct jpfs_transcript *transcript = as_transcript(object);
	cleanup_close int fd = -EBADF;
	int r;

	*ret_fd = -EBADF;
	if (transcript->is_kept)
		return 0;
	fd = memfd_create("jpfs", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = make_again(transcript, fd);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r == -ENOENT ? -ESTALE : r;
}

ssize_t jpfs_transcript_read(struct jpfs_object *object, char *buffer, size_t size, off_t offset)
{
	const struct jpfs_transcript *transcript = as_transcript(object);

	return jpfs_scratch_read(&transcript->view->transcript_cache->scratch, &transcript->text,
				 buffer, size, offset);
}
