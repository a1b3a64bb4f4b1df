/* See told.h. */
#include "fs/told.h"

#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/notify.h"
#include "fs/repeat.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* More absent names than this are not remembered, and then not kept. git asks for three. */
#define ABSENT_MAX 16

/* While something is written, attributes are kept for the course of one system call, which would ask
 * for them two or three times: a tick of the kernel's clock, the least that it knows. */
#define MOMENT_SECONDS 0.0001

/* So many changes are repeated with one look; the next one has the rest. */
#define REPEATS_MAX 4

static uint64_t digest_of(const struct stat *st)
{
	const uint64_t values[] = {
		st->st_ino,
		(uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
		st->st_mode,
		st->st_nlink,
		(uint64_t)st->st_uid << 32 | st->st_gid,
	};

	return XXH3_64bits(values, sizeof(values)) | 1; /* 0: nothing was told */
}

/* The same names give the same number, in whatever order. */
static uint64_t digest_of_listing(const struct jpfs_listing *listing)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < listing->count; i++)
		sum += XXH3_64bits(listing->items[i].name, strlen(listing->items[i].name)) << 1;
	return sum | 1;
}

void jpfs_listen_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	cleanup_glance struct jpfs_glance glance = JPFS_GLANCE_INIT;
	char path[JPFS_PATH_BYTES];
	int fd, r;

	if (conversation->is_watched || view->notify == NULL || conversation->is_local)
		return;
	jpfs_glance_begin_locked(conversation, &glance);
	r = jpfs_durable_path_locked(conversation, "", path);
	if (r == 0) {
		fd = jpfs_durable_directory_locked(conversation);
		r = fd < 0 ? fd : jpfs_notify_watch(view->notify, fd, conversation->id);
	} else if (r == -ENOENT) {
		/* None yet: it is heard of when it comes. */
		r = jpfs_notify_hears_of_new(view->notify) ? 0 : -ENOSPC;
	}
	conversation->is_watched = r == 0;
}

bool jpfs_is_settled_locked(const struct jpfs_conversation *conversation)
{
	return conversation->is_reconciled || conversation->view->is_read_only;
}

/* Whether a change of the conversation's directory is heard of, whatever is being written to it. */
static bool is_directory_heard_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;

	return view->notify != NULL &&
	       (conversation->is_watched || !jpfs_is_settled_locked(conversation)) &&
	       conversation->in_view && !conversation->is_local && conversation->vanished_ms == 0 &&
	       (conversation->expected & conversation->hidden) == 0 &&
	       conversation->incomplete_ms == 0 && jpfs_notify_is_usable(view->notify);
}

static double keep_directory_locked(struct jpfs_conversation *conversation)
{
	if (!is_directory_heard_locked(conversation))
		return 0;
	return conversation->dirty == NULL ? JPFS_KEEP_SECONDS : MOMENT_SECONDS;
}

/* For how many seconds what is said of the conversation as a whole may be kept: of what is in it nothing
 * before both sides were brought together. */
static double keep_locked(struct jpfs_conversation *conversation)
{
	return jpfs_is_settled_locked(conversation) ? keep_directory_locked(conversation) : 0;
}

bool jpfs_may_keep_locked(struct jpfs_conversation *conversation)
{
	return keep_locked(conversation) > MOMENT_SECONDS;
}

/* Directly in the conversation's directory: deeper ones are not watched in the store. */
static bool may_keep_path_locked(struct jpfs_conversation *conversation, const char *path)
{
	return strchr(path, '/') == NULL && jpfs_may_keep_locked(conversation);
}

double jpfs_tell_attributes_locked(struct jpfs_entry *entry, const struct stat *st)
{
	bool is_near = entry->is_linked && strchr(entry->path, '/') == NULL;
	double keep = is_near ? keep_locked(entry->conversation) : 0;

	if (entry->home == JPFS_STAGED && keep > MOMENT_SECONDS)
		keep = MOMENT_SECONDS;
	/* What is kept for a moment is not worth a look at each of some thousand files: of a file that is
	 * being written only the kernel itself changes what it shows. */
	entry->told = keep > MOMENT_SECONDS ? digest_of(st) : 0;
	return keep;
}

double jpfs_tell_name_locked(struct jpfs_entry *entry)
{
	if (!entry->is_linked || !may_keep_path_locked(entry->conversation, entry->path))
		return 0; /* what was told before still stands */
	entry->is_name_told = true;
	return JPFS_KEEP_SECONDS;
}

double jpfs_tell_absence_locked(struct jpfs_conversation *conversation, const char *path)
{
	unsigned count = 0;

	if (!may_keep_path_locked(conversation, path) || jp_name_is_managed_temporary(path))
		return 0;
	for (const struct jpfs_note *note = conversation->absent; note != NULL; note = note->next) {
		if (strcmp(note->path, path) == 0)
			return JPFS_KEEP_SECONDS;
		count++;
	}
	if (count >= ABSENT_MAX || jpfs_note_add(&conversation->absent, path) < 0)
		return 0;
	return JPFS_KEEP_SECONDS;
}

char *jpfs_mount_path_locked(const struct jpfs_conversation *conversation, const char *path)
{
	char *whole;

	return asprintf(&whole, "%s%s%s/%s",
			conversation->is_local ? JPFS_CONTROL_NAME "/" JPFS_LOCAL_NAME "/" : "",
			conversation->is_archived ? JP_ARCHIVE_NAME "/" : "", conversation->name,
			path) < 0
		       ? NULL
		       : whole;
}

/* What the kernel holds of the listing is not what would be listed now. */
static bool has_other_listing_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_listing listing = {0};
	bool is_other;

	if (conversation->told_listing == 0)
		return false;
	is_other = jpfs_conversation_list(conversation, "", &listing) < 0 ||
		   digest_of_listing(&listing) != conversation->told_listing;
	jpfs_listing_release(&listing);
	return is_other;
}

double jpfs_tell_directory_locked(struct jpfs_conversation *conversation, const struct stat *st)
{
	double keep = keep_directory_locked(conversation);

	conversation->told = keep > 0 ? digest_of(st) : 0;
	/* Nobody will say when the listing changes; but this is asked before each reading of it. */
	if (keep <= MOMENT_SECONDS && conversation->view->notify != NULL &&
	    has_other_listing_locked(conversation)) {
		conversation->told_listing = 0;
		jpfs_notify_inode(conversation->view->notify, conversation->object.serial, true);
	}
	return keep;
}

void jpfs_tell_listing_locked(struct jpfs_conversation *conversation,
			      const struct jpfs_listing *listing)
{
	conversation->told_listing = digest_of_listing(listing);
}

static atomic_uint_least64_t *told_of_partition(struct jpfs_view *view,
						const struct jpfs_object *partition)
{
	return partition->kind == JPFS_ROOT ? &view->told_root : &view->told_archive;
}

double jpfs_tell_partition(struct jpfs_view *view, const struct jpfs_object *partition,
			   const struct stat *st)
{
	bool may_keep = view->notify != NULL && jpfs_notify_is_usable(view->notify);

	atomic_store(told_of_partition(view, partition), may_keep ? digest_of(st) : 0);
	if (!may_keep)
		return 0;
	return partition->kind == JPFS_ROOT ? JPFS_KEEP_ROOT_SECONDS : JPFS_KEEP_SECONDS;
}

/* ---- the look ---- */

/* What is to be said, put together under the lock and said without it. */
struct news {
	uint64_t *serials; /* of inodes whose attributes are others now */
	char **names;      /* that lead elsewhere now, as paths from the mount's root */
	size_t serial_count, name_count, room;
	struct {
		enum jpfs_change change;
		char *path;
		struct stat st;
	} repeats[REPEATS_MAX];
	size_t repeat_count;
	bool is_listing; /* the directory's listing is another */
	bool is_short;   /* no memory for all of it */
};

static void news_release(struct news *news)
{
	for (size_t i = 0; i < news->name_count; i++)
		free(news->names[i]);
	free(news->names);
	for (size_t i = 0; i < news->repeat_count; i++)
		free(news->repeats[i].path);
	free(news->serials);
}

static void add_serial(struct news *news, uint64_t serial)
{
	if (news->serial_count < news->room)
		news->serials[news->serial_count++] = serial;
}

static void add_name(struct news *news, const struct jpfs_conversation *conversation,
		     const char *path)
{
	char *whole =
		news->name_count < news->room ? jpfs_mount_path_locked(conversation, path) : NULL;

	if (whole != NULL)
		news->names[news->name_count++] = whole;
	else
		news->is_short = true;
}

/* The serial of what a name leads to now; 0: nothing. */
static uint64_t leads_to_locked(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;

	if (jpfs_entry_lookup_locked(conversation, path, &entry) < 0)
		return 0;
	object = &entry->object;
	return object->serial;
}

/* One object that the kernel holds something of. */
static void look_at_entry_locked(struct jpfs_entry *entry, bool may_keep, struct news *news)
{
	struct stat st;

	if (entry->is_name_told &&
	    (!may_keep || !entry->is_linked ||
	     leads_to_locked(entry->conversation, entry->path) != entry->object.serial)) {
		entry->is_name_told = false;
		add_name(news, entry->conversation, entry->path);
	}
	if (entry->told != 0 && (!may_keep || jpfs_entry_stat_locked(entry, &st) < 0 ||
				 digest_of(&st) != entry->told)) {
		entry->told = 0;
		add_serial(news, entry->object.serial);
	}
}

static void look_at_absent_locked(struct jpfs_conversation *conversation, bool may_keep,
				  struct news *news)
{
	struct jpfs_note **link = &conversation->absent;

	while (*link != NULL) {
		struct jpfs_note *note = *link;

		if (may_keep && leads_to_locked(conversation, note->path) == 0) {
			link = &note->next;
			continue;
		}
		add_name(news, conversation, note->path);
		*link = note->next;
		free(note);
	}
}

/* References to the live entries that the kernel was told of: looking at one may let go of another. */
static size_t collect_locked(struct jpfs_conversation *conversation, struct jpfs_entry **ret,
			     size_t room)
{
	size_t count = 0;

	for (struct jpfs_entry *entry = conversation->entries; entry != NULL && count < room;
	     entry = entry->next) {
		if ((entry->is_name_told || entry->told != 0) &&
		    jpfs_object_try_ref(&entry->object))
			ret[count++] = entry;
	}
	return count;
}

static size_t count_locked(const struct jpfs_conversation *conversation)
{
	size_t count = 0;

	for (const struct jpfs_entry *entry = conversation->entries; entry != NULL;
	     entry = entry->next)
		count += entry->is_name_told || entry->told != 0 ? 1 : 0;
	return count;
}

/* A version in the store that was not met before is accepted, kept a link to, and projected. */
static void accept_locked(struct jpfs_conversation *conversation)
{
	struct stat st;

	for (int i = 0; i < JP_MANAGED_COUNT && !conversation->is_local; i++)
		jp_ignore(jpfs_durable_stat_locked(conversation, (enum jp_managed)i, &st));
}

/* The directory itself is another than the kernel was told: it is to be told. */
static bool has_other_directory_locked(struct jpfs_conversation *conversation)
{
	struct stat st;

	return conversation->told != 0 && (jpfs_conversation_stat(conversation, &st) < 0 ||
					   digest_of(&st) != conversation->told);
}

static bool take_back_directory_locked(struct jpfs_conversation *conversation, bool may_keep)
{
	bool is_other =
		conversation->told != 0 && (!may_keep || has_other_directory_locked(conversation));

	if (is_other)
		conversation->told = 0;
	return is_other;
}

void jpfs_tell_again_locked(struct jpfs_conversation *conversation)
{
	if (conversation->told != 0 &&
	    (!conversation->is_watched || has_other_directory_locked(conversation)))
		jpfs_notify_look(conversation->view->notify, conversation);
}

/* Whatever goes on in it: what is true now may be kept, as long as the next change is heard. */
static bool may_keep_truth_locked(struct jpfs_conversation *conversation)
{
	return conversation->is_watched && conversation->in_view && !conversation->is_local &&
	       jpfs_notify_is_usable(conversation->view->notify);
}

static void look_locked(struct jpfs_conversation *conversation, struct jpfs_entry **entries,
			size_t count, struct news *news)
{
	struct jpfs_view *view = conversation->view;
	bool may_keep;

	accept_locked(conversation);
	/* Listed after all, when it has been on its way for long enough: only time tells. */
	if (conversation->incomplete_ms != 0 && conversation->in_view) {
		if (jpfs_conversation_is_listed(conversation))
			jpfs_notify_partitions(view->notify, view);
		else
			jpfs_work_add(conversation, JPFS_SETTLE_MS + 10);
	}
	may_keep = may_keep_truth_locked(conversation);
	for (size_t i = 0; i < count; i++)
		look_at_entry_locked(entries[i], may_keep, news);
	look_at_absent_locked(conversation, may_keep, news);
	if (take_back_directory_locked(conversation, may_keep))
		add_serial(news, conversation->object.serial);
	if (has_other_listing_locked(conversation)) {
		conversation->told_listing = 0;
		news->is_listing = true;
	}
	while (news->repeat_count < REPEATS_MAX &&
	       jpfs_repeat_take_locked(conversation, &news->repeats[news->repeat_count].change,
				       &news->repeats[news->repeat_count].path,
				       &news->repeats[news->repeat_count].st))
		news->repeat_count++;
	if (news->repeat_count == REPEATS_MAX)
		jpfs_notify_look(view->notify, conversation);
}

/* Changes first: they are told by the version that the kernel has, and tell the name with it. */
static void tell_names(struct jpfs_notify *notify, uint64_t directory, const struct news *news)
{
	bool is_repeated[REPEATS_MAX] = {false};

	for (size_t i = 0; i < news->repeat_count; i++)
		is_repeated[i] = jpfs_notify_repeat(notify, directory, news->repeats[i].path,
						    news->repeats[i].change, &news->repeats[i].st);
	for (size_t i = 0; i < news->name_count; i++) {
		bool is_told = false;

		for (size_t k = 0; k < news->repeat_count; k++)
			is_told = is_told || (is_repeated[k] &&
					      strcmp(news->repeats[k].path, news->names[i]) == 0);
		if (!is_told)
			jpfs_notify_name(notify, directory, news->names[i]);
	}
}

static void look_at_partition(struct jpfs_view *view, struct jpfs_object *partition)
{
	atomic_uint_least64_t *told = told_of_partition(view, partition);
	uint64_t before = atomic_load(told);
	struct stat st;

	if (before != 0 &&
	    (jpfs_outside_stat(view, partition, &st) < 0 || digest_of(&st) != before)) {
		atomic_store(told, 0);
		jpfs_notify_inode(view->notify, partition->serial, false);
	}
}

void jpfs_tell_local_name_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	cleanup_free char *path = NULL;

	if (view->notify != NULL &&
	    asprintf(&path, JPFS_CONTROL_NAME "/" JPFS_LOCAL_NAME "/%s%s",
		     conversation->is_archived ? JP_ARCHIVE_NAME "/" : "", conversation->name) > 0)
		jpfs_notify_name(view->notify,
				 conversation->is_archived ? view->local_archive.serial
							   : view->local.serial,
				 path);
}

void jpfs_told_look(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	__attribute__((cleanup(news_release))) struct news news = {0};
	cleanup_free struct jpfs_entry **entries = NULL;
	struct jpfs_glance glance;
	size_t count;

	if (view->notify == NULL)
		return;
	jpfs_conversation_lock(conversation);
	jpfs_listen_locked(conversation);
	if (!jpfs_is_settled_locked(conversation)) {
		/* Nothing but the directory was told of it yet. And this is no moment to bring both sides
		 * together: whoever has just changed the store may be in the middle of it. */
		bool is_other = take_back_directory_locked(conversation,
							   may_keep_truth_locked(conversation));

		jpfs_work_add(conversation, 500);
		pthread_mutex_unlock(&conversation->lock);
		if (is_other)
			jpfs_notify_inode(view->notify, conversation->object.serial, false);
		return;
	}
	jpfs_glance_begin_locked(conversation, &glance);
	count = count_locked(conversation);
	news.room = count + ABSENT_MAX + 1;
	entries = calloc(count + 1, sizeof(struct jpfs_entry *));
	news.serials = calloc(news.room, sizeof(*news.serials));
	news.names = calloc(news.room, sizeof(*news.names));
	if (entries == NULL || news.serials == NULL || news.names == NULL) {
		news.is_short = true;
		count = 0;
	} else {
		count = collect_locked(conversation, entries, count);
		look_locked(conversation, entries, count, &news);
	}
	jpfs_glance_end(&glance);
	pthread_mutex_unlock(&conversation->lock);

	for (size_t i = 0; i < count; i++)
		jpfs_object_unref(&entries[i]->object);
	for (size_t i = 0; i < news.serial_count; i++)
		jpfs_notify_inode(view->notify, news.serials[i], false);
	if (news.is_listing)
		jpfs_notify_inode(view->notify, conversation->object.serial, true);
	tell_names(view->notify, conversation->object.serial, &news);
	look_at_partition(view, &view->root);
	look_at_partition(view, &view->archive);
	if (news.is_short)
		jpfs_notify_look(view->notify, conversation); /* once more, when there is memory */
}
