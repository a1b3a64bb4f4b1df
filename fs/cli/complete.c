/*
 * `jpfs complete`: what the completions of shells ask. Not in the help: nobody types it.
 *
 *     jpfs complete commands         name, tab, what it does
 *     jpfs complete options COMMAND  the long and short options that its help names
 *     jpfs complete ids              ID, tab, the directory's name: in this workspace or its silo
 *
 * Commands and options come from the help texts, so that a new command is completed as soon as there
 * is help for it. IDs come from directories' names alone: no conversation is opened, and nobody is
 * asked; a workspace that is not trusted offers its own. Whatever fails, completes nothing.
 */
#include "fs/cli/command.h"

#include "core/base/io.h"
#include "core/conversation_id.h"
#include "core/silo.h"
#include "core/trust.h"
#include "core/workspace.h"
#include "fs/cli/place.h"
#include "fs/cli/suggest.h"
#include "include/jpfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_options(const struct jpfs_command *command)
{
	const char *text = command->help, *option;
	size_t size;

	while ((option = jpfs_next_option(&text, &size)) != NULL)
		(void)printf("%.*s\n", (int)size, option);
	(void)puts("--help");
}

static void print_ids(int directory_fd)
{
	cleanup_close int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	uint64_t id;

	if (directory == NULL)
		return;
	(void)TAKE_FD(fd); /* the stream has it now */
	while ((entry = readdir(directory)) != NULL) {
		char name[NAME_MAX + 1];

		if (jp_conversation_id_parse(entry->d_name, &id) < 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s", entry->d_name);
		jp_make_printable(name);
		(void)printf("%" PRIu64 "\t%s\n", id, name);
	}
	(void)closedir(directory);
}

static void print_all_ids(void)
{
	cleanup_workspace struct jp_workspace workspace = {0};
	cleanup_silo struct jp_silo silo = {0};
	cleanup_place struct jpfs_place place = {0};
	cleanup_close int fd = -EBADF;
	const json_t *counts;

	if (jp_workspace_find(".", &workspace, NULL) < 0)
		return;
	if (jpfs_place_find(workspace.root_path, &place, NULL) < 0)
		return;
	counts = json_object_get(place.status, "conversations");
	/* An empty mount takes a look into it for its removal, and gets out of the way. */
	if (json_integer_value(json_object_get(counts, "projected")) > 0 ||
	    json_integer_value(json_object_get(counts, "workspace_only")) > 0)
		fd = openat(AT_FDCWD, place.mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (place.state == JPFS_PLACE_NOT_MOUNTED)
		fd = jp_open_beneath(workspace.jp_fd, "conversations", O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		print_ids(fd);
	if (jpfs_find_silo(&workspace, &silo, NULL) == 0 && jp_trust_check(&silo, &workspace) > 0)
		print_ids(silo.conversations_fd);
}

int jpfs_command_complete(int argc, char **argv)
{
	const struct jpfs_command *command;

	if (argc == 2 && strcmp(argv[1], "commands") == 0) {
		for (size_t i = 0; i < jpfs_command_count; i++) {
			if (jpfs_commands[i].help != NULL)
				(void)printf("%s\t%s\n", jpfs_commands[i].name,
					     jpfs_commands[i].what);
		}
		return JPFS_EXIT_DONE;
	}
	if (argc == 2 && strcmp(argv[1], "ids") == 0) {
		print_all_ids();
		return JPFS_EXIT_DONE;
	}
	if (argc == 3 && strcmp(argv[1], "options") == 0) {
		command = jpfs_command_find(argv[2]);
		if (command != NULL && command->help != NULL)
			print_options(command);
		return JPFS_EXIT_DONE;
	}
	return jpfs_fail_usage(NULL, "complete: commands, ids, or options COMMAND");
}
