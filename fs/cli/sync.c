/*
 * `jpfs sync`: the whole reconciliation without a mount, for machines without FUSE and for git
 * hooks. Mounted, the daemon does this all the time, and the command waits until it is done.
 */
#include "core/reconcile.h"
#include "fs/cli/act.h"
#include "fs/cli/command.h"
#include "fs/cli/json.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PROGRESS_MS = 1000 };

/* ---- progress ---- */

static void show_progress(size_t done, size_t count)
{
	static struct timespec began; /* the process's own: one sync in one process */
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return;
	if (began.tv_sec == 0)
		began = now;
	if (done == count && now.tv_sec - began.tv_sec >= PROGRESS_MS / 1000)
		(void)fprintf(stderr, "\r%40s\r", "");
	else if (done % 50 == 0 && now.tv_sec - began.tv_sec >= PROGRESS_MS / 1000)
		(void)fprintf(stderr, "\r%zu of %zu conversations", done, count);
}

static jpfs_progress *progress_to_show(void)
{
	return isatty(STDERR_FILENO) ? show_progress : NULL;
}

/* ---- what was done ---- */

static const char *word_of(enum jp_row row, bool is_dry, bool was_imported)
{
	if (was_imported)
		return is_dry ? "to be imported" : "imported";
	if (row == JP_ROW_NOT_DURABLE)
		return "only here";
	switch (jp_row_outcome(row)) {
	case JP_NOTHING:
		return "in step";
	case JP_PROJECT:
		return is_dry ? "to be updated here" : "updated here";
	case JP_TAKE:
		return is_dry ? "to be stored" : "stored";
	case JP_DRAFT:
		return is_dry ? "to be a draft" : "a draft";
	case JP_HIDE:
		return is_dry ? "to be hidden here" : "hidden here";
	}
	return "";
}

struct report {
	json_t *list; /* NULL: for people */
	size_t in_step, other;
	bool is_dry, is_first_use;
};

static void print_unit(const struct jpfs_conversation *conversation, const char *unit,
		       enum jp_row row, const struct report *report)
{
	bool was_imported = row == JP_ROW_NOT_DURABLE && report->is_first_use;

	if (jp_row_outcome(row) == JP_NOTHING)
		return;
	jpfs_print(word_of(row, report->is_dry, was_imported), "%s (%s): %s", conversation->name,
		   unit, was_imported ? "the store had nothing yet" : jp_row_reason(row));
}

static json_t *unit_json(enum jp_row row, const struct report *report)
{
	bool was_imported = row == JP_ROW_NOT_DURABLE && report->is_first_use;

	return json_pack("{s:s, s:s}", "outcome", word_of(row, report->is_dry, was_imported),
			 "reason", was_imported ? "the store had nothing yet" : jp_row_reason(row));
}

static void add(const struct jpfs_conversation *conversation, struct report *report)
{
	const struct jpfs_decision *decision = &conversation->decision;
	bool is_in_step = jp_row_outcome(decision->stream) == JP_NOTHING &&
			  jp_row_outcome(decision->metadata) == JP_NOTHING;
	json_t *name;
	char id[24];

	report->in_step += is_in_step ? 1 : 0;
	report->other += is_in_step ? 0 : 1;
	if (report->list == NULL) {
		print_unit(conversation, "conversation", decision->stream, report);
		if (decision->stream != JP_ROW_NOT_DURABLE)
			print_unit(conversation, "metadata", decision->metadata, report);
		return;
	}
	(void)snprintf(id, sizeof(id), "%" PRIu64, conversation->id);
	name = json_string(conversation->name);
	json_array_append_new(report->list,
			      json_pack("{s:s, s:o, s:b, s:o, s:o}", "id", id, "name",
					name != NULL ? name : json_string("(not UTF-8)"),
					"archived", conversation->is_archived, "stream",
					unit_json(decision->stream, report), "metadata",
					unit_json(decision->metadata, report)));
}

static int report_all(struct jpfs_view *view, struct report *report)
{
	struct jpfs_conversation **all;
	size_t count;
	int r = jpfs_view_snapshot(view, &all, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		add(all[i], report);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
	return 0;
}

static void print_summary(const struct jpfs_site *site, const struct report *report,
			  bool has_failed)
{
	if (report->list == NULL) {
		jpfs_print(has_failed       ? "not all synced"
			   : report->is_dry ? "nothing was done"
					    : "synced",
			   "%s: %zu in step, %zu not%s", site->workspace.root_path, report->in_step,
			   report->other, report->is_dry || report->other == 0 ? "" : " before");
		return;
	}
	{
		json_t *root = json_string(site->workspace.root_path);
		json_t *object = json_pack("{s:o, s:b, s:b, s:b, s:O}", "root",
					   root != NULL ? root : json_string("(not UTF-8)"),
					   "mounted", site->is_mounted, "dry_run", report->is_dry,
					   "failed", has_failed, "conversations", report->list);

		jp_ignore(jpfs_print_json(
			object)); /* without memory there is nothing to say it with */
		json_decref(object);
	}
}

/* ---- the three ways ---- */

static int sync_mounted(const struct jpfs_site *site, struct report *report)
{
	int r = report->is_dry ? 0 : jpfs_site_sync(site);

	if (report->list != NULL)
		print_summary(site, report, r != 0);
	else if (r == 0)
		jpfs_print(report->is_dry ? "nothing was done" : "synced",
			   "%s: it is mounted, and its daemon keeps both sides in step",
			   site->mount_point);
	return r;
}

static int sync_offline(struct jpfs_site *site, struct report *report)
{
	cleanup_offline struct jpfs_offline offline = {0};
	struct jp_error error = {0};
	int r = jpfs_offline_open(&site->workspace, &site->silo, report->is_dry, &offline, &error);
	int told;

	if (r < 0)
		return jpfs_fail(r, &error);
	report->is_first_use = offline.view.import_all;
	if (report->is_first_use || report->is_dry)
		r = jpfs_offline_look(&offline, progress_to_show());
	if (!report->is_dry) {
		/* What a first use imports is told as it was before. */
		if (report->is_first_use)
			told = report_all(&offline.view, report);
		else
			told = 0;
		r = jpfs_offline_sync(&offline, progress_to_show());
		if (!report->is_first_use)
			told = report_all(&offline.view, report);
	} else {
		told = report_all(&offline.view, report);
	}
	print_summary(site, report, r < 0);
	if (r == 0)
		r = told;
	if (r == 0)
		return JPFS_EXIT_DONE;
	jp_error_set(&error, r, "%s",
		     offline.view.failure.message[0] != '\0' ? offline.view.failure.message
							     : strerrordesc_np(-r));
	jp_error_remedy(&error, "%s", offline.view.failure.remedy);
	return jpfs_fail(r, &error);
}

/* Nothing was ever kept for this ID, and nothing is to be made. */
static int look_at_first_use(const struct jpfs_site *site, struct report *report)
{
	struct jp_index_entry *entries = NULL;
	cleanup_close int fd = jp_workspace_open_conversations(&site->workspace, false, NULL);
	struct jp_error error = {0};
	size_t count = 0;
	int r = fd == -ENOENT ? 0 : fd < 0 ? fd : jp_dir_index_read(fd, &entries, &count);

	if (r < 0) {
		jp_error_set(&error, r, "%s/.jp/conversations: %s", site->workspace.root_path,
			     strerrordesc_np(-r));
		return jpfs_fail(r, &error);
	}
	for (size_t i = 0; i < count; i++) {
		struct jpfs_conversation conversation = {
			.id = entries[i].id,
			.name = entries[i].name,
			.is_archived = entries[i].is_archived,
			.decision = {JP_ROW_NOT_DURABLE, JP_ROW_NOT_DURABLE, 0, false},
		};

		report->is_first_use = true;
		add(&conversation, report);
	}
	jp_index_entries_free(entries, count);
	print_summary(site, report, false);
	return JPFS_EXIT_DONE;
}

static int sync_site(struct jpfs_site *site, struct report *report)
{
	if (site->is_mounted)
		return sync_mounted(site, report);
	return site->has_silo ? sync_offline(site, report) : look_at_first_use(site, report);
}

int jpfs_command_sync(int argc, char **argv)
{
	enum { DRY_RUN = 256, JSON };
	static const struct option long_options[] = {
		{"dry-run", no_argument, NULL, DRY_RUN},
		{"json", no_argument, NULL, JSON},
		JPFS_COMMON_LONG,
	};
	cleanup_site struct jpfs_site site = {0};
	struct report report = {0};
	const char *directory;
	bool is_json = false;
	int option, r;

	while ((option = getopt_long(argc, argv, ":n" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		switch (option) {
		case DRY_RUN:
		case 'n':
			report.is_dry = true;
			break;
		case JSON:
			is_json = true;
			break;
		default:
			r = jpfs_common_option("sync", option, argv);
			if (r >= 0)
				return r;
		}
	}
	r = jpfs_directory_argument("sync", argc, argv, &directory);
	if (r != 0)
		return r;
	jpfs_log_open(true);
	r = jpfs_site_open(directory, !report.is_dry, &site);
	if (r != 0)
		return r;
	report.list = is_json ? json_array() : NULL;
	r = sync_site(&site, &report);
	json_decref(report.list);
	return r;
}
