/*
 * `jpfs show`: a conversation as Markdown, as this workspace sees it.
 *
 * It is read where a reader in this workspace would get it: through the mount if it is there, else
 * from the store, else from the workspace. Nothing is made or noted.
 */
#include "core/base/io.h"
#include "core/managed.h"
#include "core/transcript.h"
#include "fs/cli/act.h"
#include "fs/cli/command.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int print_piece(void *context, const struct jp_transcript_piece *piece)
{
	FILE *to = context;

	return fwrite(piece->text, 1, piece->size, to) == piece->size ? 0 : -EIO;
}

/* One managed file; -EBADF in *ret when there is none. */
static int open_managed(int dirfd, enum jp_managed which, int *ret)
{
	int fd = jp_open_regular(dirfd, jp_managed_name(which), O_RDONLY);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	*ret = fd < 0 ? -EBADF : fd;
	return 0;
}

static int show_directory(int dirfd, uint64_t id)
{
	cleanup_close int metadata = -EBADF, base = -EBADF, events = -EBADF;
	struct jp_transcript_files files = {.id = id};
	int r = open_managed(dirfd, JP_METADATA, &metadata);

	if (r == 0)
		r = open_managed(dirfd, JP_BASE_CONFIG, &base);
	if (r == 0)
		r = open_managed(dirfd, JP_EVENTS, &events);
	if (r < 0)
		return r;
	files.metadata_fd = metadata;
	files.base_config_fd = base;
	files.events_fd = events;
	return jp_transcript_render(&files, print_piece, stdout);
}

static int show(const struct jpfs_site *site, const struct jpfs_picked *picked)
{
	bool reads_here = !picked->is_durable || (picked->is_here && site->is_mounted);
	const char *name = reads_here ? picked->here_name : picked->durable_name;
	bool is_archived = reads_here ? picked->here_is_archived : picked->durable_is_archived;
	cleanup_close int opened = reads_here ? jpfs_site_open_conversations(site) : -EBADF;
	cleanup_close int dirfd = -EBADF;
	char path[PATH_MAX];

	if (reads_here && opened < 0)
		return opened;
	(void)snprintf(path, sizeof(path), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name);
	dirfd = jp_open_beneath(reads_here ? opened : site->silo.conversations_fd, path,
				O_RDONLY | O_DIRECTORY, 0);
	return dirfd < 0 ? dirfd : show_directory(dirfd, picked->id);
}

int jpfs_command_show(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	cleanup_site struct jpfs_site site = {0};
	cleanup_choice struct jpfs_choice choice = {0};
	struct jpfs_picked picked;
	struct jp_error error = {0};
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("show", option, argv);
		if (r >= 0)
			return r;
	}
	if (argc - optind != 1)
		return jpfs_fail_usage("show", "show: which conversation? One at a time");
	jpfs_log_open(true);
	r = jpfs_site_open(".", false, &site);
	if (r != 0)
		return r;
	r = jpfs_site_choice(&site, &choice);
	if (r == 0)
		r = jpfs_pick(&choice, argv[optind], &picked, &error);
	if (r == 0) {
		r = show(&site, &picked);
		if (r < 0)
			jp_error_set(&error, r, "%s: cannot be shown: %s", argv[optind],
				     strerrordesc_np(-r));
	}
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
