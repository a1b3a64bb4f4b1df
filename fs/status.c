/*
 * `.jpfs/status.json`: what this mount is, serves and has done, for people and scripts.
 *
 * Each lookup of it finds another file, which says what was true at that moment for as long as the
 * kernel holds it: its size is known before it is read, and who reads it in pieces reads one text.
 */
#include "fs/notify.h"
#include "fs/view.h"
#include "include/jpfs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static json_t *format_time(const struct timespec *when)
{
	char text[40];
	struct tm utc;

	gmtime_r(&when->tv_sec, &utc);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

/* A path may hold any bytes; JSON text may not. */
static json_t *format_path(const char *path)
{
	json_t *string = json_string(path);

	return string != NULL ? string : json_string("(not UTF-8)");
}

static int count_conversations(struct jpfs_view *view, json_t *ret)
{
	json_int_t projected = 0, workspace_only = 0, archived = 0, local;
	json_t *drafts = json_array();
	struct jpfs_conversation **all;
	size_t count, live = 0, stored_archived = 0;
	json_int_t durable_here = 0;
	int r = jpfs_view_snapshot(view, &all, &count);

	if (r < 0) {
		json_decref(drafts);
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		struct jpfs_conversation *conversation = all[i];
		char id[24];

		jpfs_conversation_lock(conversation);
		if (strcmp(jpfs_conversation_presence_locked(conversation), "projected") == 0) {
			projected++;
			durable_here++;
		} else {
			workspace_only++;
		}
		archived += conversation->is_archived ? 1 : 0;
		(void)snprintf(id, sizeof(id), "%" PRIu64, conversation->id);
		if (conversation->drafts != 0)
			json_array_append_new(drafts, json_string(id));
		pthread_mutex_unlock(&conversation->lock);
		jpfs_object_unref(&conversation->object);
	}
	free(all);
	r = jp_dir_index_count(view->durable_index, &live, &stored_archived);
	local = (json_int_t)(live + stored_archived) - durable_here;
	json_object_set_new(ret, "projected", json_integer(projected));
	json_object_set_new(ret, "workspace_only", json_integer(workspace_only));
	json_object_set_new(ret, "local", json_integer(local));
	json_object_set_new(ret, "archived", json_integer(archived));
	json_object_set_new(ret, "drafts", drafts);
	return r;
}

static json_t *format_failure(struct jpfs_view *view)
{
	struct jpfs_failure failure;

	pthread_mutex_lock(&view->table);
	failure = view->failure;
	pthread_mutex_unlock(&view->table);
	jp_make_printable(failure.message);
	if (failure.when[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:o, s:s}", "when", failure.when, "message",
			 format_path(failure.message), "remedy", failure.remedy);
}

static json_t *format_requests(const struct jpfs_requests *requests)
{
#define NAME(kind) #kind,
	static const char *const names[] = {JPFS_REQUEST_KINDS(NAME)};
	json_t *object = json_object(), *total = json_integer(0);
	json_int_t sum = 0;

	/* jansson keeps the order in which keys come. */
	if (json_object_set_new(object, "total", total) < 0) {
		json_decref(object);
		return NULL;
	}
	for (int i = 0; i < JPFS_REQUEST_COUNT; i++) {
		json_int_t n = (json_int_t)atomic_load_explicit(&requests->counts[i],
								memory_order_relaxed);

		if (json_object_set_new(object, names[i], json_integer(n)) < 0) {
			json_decref(object);
			return NULL;
		}
		sum += i == JPFS_REQUEST_forget ? 0 : n;
	}
	json_integer_set(total, sum);
	return object;
}

/* What the kernel may keep of the view; null: nothing. */
static json_t *format_kept(struct jpfs_view *view)
{
	bool is_full;
	size_t count;

	if (view->notify == NULL)
		return json_null();
	count = jpfs_notify_watches(view->notify, &is_full);
	return json_pack("{s:I, s:b}", "watches", (json_int_t)count, "complete", !is_full);
}

static int make_text(struct jpfs_view *view, char **ret_text, size_t *ret_size)
{
	json_t *root = json_object(), *conversations = json_object();
	unsigned commits, projections;
	char *text, *whole;
	size_t size;
	int r;

	if (root == NULL || conversations == NULL) {
		json_decref(root);
		json_decref(conversations);
		return -ENOMEM;
	}
	r = count_conversations(view, conversations);
	jpfs_work_count(view, &commits, &projections);
	json_object_set_new(root, "version", json_string(JPFS_VERSION));
	json_object_set_new(root, "workspace_id", json_string(view->workspace->id));
	json_object_set_new(root, "root", format_path(view->workspace->root_path));
	json_object_set_new(root, "silo", format_path(view->silo->path));
	json_object_set_new(root, "pid", json_integer(getpid()));
	json_object_set_new(root, "mounted_since", format_time(&view->started));
	json_object_set_new(root, "read_only", json_boolean(view->is_read_only));
	json_object_set_new(root, "conversations", conversations);
	json_object_set_new(
		root, "pending",
		json_pack("{s:i, s:i}", "commits", (int)commits, "projections", (int)projections));
	json_object_set_new(root, "recovered",
			    json_pack("{s:i, s:i, s:i}", "current", (int)view->recovered.current,
				      "history", (int)view->recovered.history, "trash",
				      (int)view->recovered.trash));
	json_object_set_new(root, "kernel_cache", format_kept(view));
	json_object_set_new(root, "requests", format_requests(&view->requests));
	json_object_set_new(root, "last_error", format_failure(view));
	text = r < 0 ? NULL : json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (text == NULL)
		return r < 0 ? r : -ENOMEM;
	size = strlen(text);
	whole = realloc(text, size + 2);
	if (whole == NULL) {
		free(text);
		return -ENOMEM;
	}
	whole[size] = '\n';
	whole[size + 1] = '\0';
	*ret_text = whole;
	*ret_size = size + 1;
	return 0;
}

struct status {
	struct jpfs_object object;
	struct timespec when;
	size_t size;
	char *text;
};

int jpfs_status_lookup(struct jpfs_view *view, struct jpfs_object **ret)
{
	struct status *status = calloc(1, sizeof(*status));
	int r = status == NULL ? -ENOMEM : make_text(view, &status->text, &status->size);

	if (r < 0) {
		free(status);
		return r;
	}
	clock_gettime(CLOCK_REALTIME, &status->when);
	jpfs_object_init(view, &status->object, JPFS_STATUS);
	*ret = &status->object;
	return 0;
}

void jpfs_status_stat(const struct jpfs_object *object, struct stat *st)
{
	const struct status *status = (const struct status *)object;

	st->st_size = (off_t)status->size;
	st->st_mtim = st->st_ctim = st->st_atim = status->when;
}

ssize_t jpfs_status_read(const struct jpfs_object *object, char *buffer, size_t size, off_t offset)
{
	const struct status *status = (const struct status *)object;
	size_t left = (size_t)offset < status->size ? status->size - (size_t)offset : 0;

	left = left < size ? left : size;
	if (left > 0)
		memcpy(buffer, status->text + offset, left);
	return (ssize_t)left;
}

void jpfs_status_forget(struct jpfs_object *object)
{
	struct status *status = (struct status *)object;

	free(status->text);
	free(status);
}
