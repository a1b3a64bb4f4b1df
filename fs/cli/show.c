/*
 * `jpfs show`: a conversation as Markdown, or the bytes of one of its files, current or kept.
 *
 * It is read where a reader in this workspace would get it: through the mount if it is there, else
 * from the store, else from the workspace. Nothing is made or noted. Of a file, into a pipe or a file they are exact. A terminal gets text: what it would obey instead of showing
 * it, and what is no text, is shown as '?'.
 */
#include "core/managed.h"
#include "core/transcript.h"
#include "fs/cli/command.h"
#include "fs/cli/named.h"
#include "fs/cli/table.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 65536

static int copy_bytes(int fd)
{
	cleanup_free char *piece = malloc(PIECE_BYTES);

	if (piece == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, piece, PIECE_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
			return -errno;
	}
}

/* Line by line: a character is never divided between two pieces then. */
static int print_text(int fd)
{
	cleanup_close int own = dup(fd);
	cleanup_free char *line = NULL;
	FILE *from = own >= 0 ? fdopen(own, "r") : NULL;
	size_t room = 0;
	ssize_t n;
	int r = 0;

	if (from == NULL)
		return -errno;
	(void)TAKE_FD(own); /* the stream's now */
	errno = 0;
	while ((n = getline(&line, &room, from)) > 0) {
		jpfs_print_clean(line, (size_t)n, stdout);
		errno = 0;
	}
	r = ferror(from) ? -errno : 0;
	(void)fclose(from); /* nothing was written to it */
	return r;
}

static int print_piece(void *context, const struct jp_transcript_piece *piece)
{
	FILE *to = context;

	return fwrite(piece->text, 1, piece->size, to) == piece->size ? 0 : -EIO;
}

static int print_transcript(const struct jpfs_site *site, const struct jpfs_picked *picked)
{
	cleanup_close int metadata = jpfs_open_current(site, picked, jp_managed_name(JP_METADATA));
	cleanup_close int base = jpfs_open_current(site, picked, jp_managed_name(JP_BASE_CONFIG));
	cleanup_close int events = jpfs_open_current(site, picked, jp_managed_name(JP_EVENTS));
	const struct jp_transcript_files files = {
		.id = picked->id,
		.metadata_fd = metadata,
		.base_config_fd = base,
		.events_fd = events,
	};
	const int fds[] = {metadata, base, events};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] < 0 && fds[i] != -ENOENT)
			return fds[i];
	}
	return jp_transcript_render(&files, print_piece, stdout);
}

static int complain(const struct jpfs_named *named, const char *text, const char *shown, int r,
		    struct jp_error *error)
{
	if (r == -ENOENT && !named->picked.is_here && !named->picked.is_durable) {
		jp_error_remedy(error, "`jpfs history %s` tells what is kept of it", text);
		return jp_error_set(error, r, "%s: it is not there any more", named->name);
	}
	return jp_error_set(error, r, "%s%s%s%s%s: %s", named->name,
			    named->version[0] != '\0' ? "@" : "", named->version,
			    shown != NULL ? "/" : "", shown != NULL ? shown : "",
			    strerrordesc_np(-r));
}

static int show(const struct jpfs_site *site, const char *text, const char *file,
		struct jp_error *error)
{
	cleanup_named struct jpfs_named named = {0};
	cleanup_choice struct jpfs_choice choice = {0};
	cleanup_close int fd = -EBADF;
	const char *shown = file;
	int r = jpfs_site_choose(site, &choice);

	if (r == 0)
		r = jpfs_named_find(site, &choice, text, &named, error);
	if (r < 0)
		return r;
	if (named.version[0] == '\0' && file == NULL) {
		r = named.picked.is_here || named.picked.is_durable
			    ? print_transcript(site, &named.picked)
			    : -ENOENT;
		return r < 0 ? complain(&named, text, NULL, r, error) : 0;
	}
	if (named.version[0] == '\0') {
		fd = jpfs_open_current(site, &named.picked, file);
	} else {
		int index = jp_kept_find(named.kept, named.kept_count, named.version, file, error);

		if (index < 0)
			return index;
		if (named.kept[index].is_directory && file == NULL)
			shown = jp_managed_name(JP_EVENTS);
		fd = jpfs_open_kept(site, &named.kept[index], shown);
	}
	r = fd;
	if (fd >= 0)
		r = isatty(STDOUT_FILENO) ? print_text(fd) : copy_bytes(fd);
	return r < 0 ? complain(&named, text, shown, r, error) : 0;
}

int jpfs_command_show(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	cleanup_site struct jpfs_site site = {0};
	struct jp_error error = {0};
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("show", option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc || argc - optind > 2)
		return jpfs_fail_usage("show", optind == argc ? "show: which conversation?"
							      : "show: one file at a time");
	jpfs_log_open(true);
	r = jpfs_site_open(".", false, &site);
	if (r != 0)
		return r;
	r = show(&site, argv[optind], argv[optind + 1], &error);
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
