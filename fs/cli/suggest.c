/*
 * Finding what was meant: the only command or option that begins so; else the one that is a slip or
 * two of the fingers away, a letter too many, missing, wrong, or two in the wrong order; else what
 * other programs call it. Where two are equally near, nothing is said: a wrong hint is worse than
 * the way to the whole list, which follows anyway.
 */
#include "fs/cli/suggest.h"

#include "core/base/cleanup.h"
#include "fs/cli/command.h"
#include "include/jpfs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	WORD_BYTES_MAX = 24, /* nothing that there is is longer */
};

/* The best so far. */
struct guess {
	const char *word;
	size_t size;
	size_t distance; /* SIZE_MAX: none yet */
	bool is_shared;  /* another one is as near */
};

static const struct {
	const char *elsewhere, *here;
} other_names[] = {
	{"cat", "show"},    {"delete", "rm"},   {"find", "grep"},         {"list", "ls"},
	{"log", "history"}, {"remove", "rm"},   {"reset", "restore"},     {"search", "grep"},
	{"start", "mount"}, {"stop", "umount"}, {"version", "--version"},
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters are wrong: optimal string alignment. Both words have WORD_BYTES_MAX at most. */
static size_t distance_of(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];

	for (size_t i = 0; i <= a_size; i++) {
		for (size_t j = 0; j <= b_size; j++) {
			size_t best = i + j;

			if (i > 0 && j > 0) {
				best = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
				best = least(best, least(rows[i - 1][j], rows[i][j - 1]) + 1);
			}
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, rows[i - 2][j - 2] + 1);
			rows[i][j] = best;
		}
	}
	return rows[a_size][b_size];
}

static void consider(struct guess *guess, const char *typed, const char *word, size_t size)
{
	size_t typed_size = strlen(typed), distance;

	if (typed_size > WORD_BYTES_MAX || size > WORD_BYTES_MAX)
		return;
	/* Whoever stops early means it; a single letter or dash says nothing. */
	if (typed_size < size && typed_size - strspn(typed, "-") > 1 &&
	    memcmp(typed, word, typed_size) == 0)
		distance = 0;
	else
		distance = distance_of(typed, typed_size, word, size);
	/* Of a short word, a few wrong letters leave nothing to know it by. */
	if (distance > least(typed_size / 2, typed_size < 6 ? 1 : 2) || distance > guess->distance)
		return;
	guess->is_shared = distance == guess->distance;
	if (guess->is_shared && size == guess->size && memcmp(word, guess->word, size) == 0)
		guess->is_shared = false; /* named twice */
	guess->word = word;
	guess->size = size;
	guess->distance = distance;
}

const char *jpfs_next_option(const char **text, size_t *ret_size)
{
	/* "  -f, --foreground   don't go": those that a line begins with, after blanks. */
	while (**text != '\0') {
		const char *line = *text, *at = line + strspn(line, line[0] == ',' ? ", " : " ");

		if (at > line && *at == '-') {
			*ret_size = strcspn(at, ", \n");
			*text = at + *ret_size;
			if (**text != ',')
				*text += strcspn(*text, "\n");
			return at;
		}
		line = strchr(line, '\n');
		*text = line != NULL ? line + 1 : at + strlen(at);
	}
	return NULL;
}

static int fail(const char *command, const struct guess *guess)
{
	bool is_known = guess->distance != SIZE_MAX && !guess->is_shared;

	(void)fputs("hint: ", stderr);
	if (is_known)
		(void)fprintf(stderr, "did you mean `jpfs %s%s%.*s`? ",
			      command != NULL ? command : "", command != NULL ? " " : "",
			      (int)guess->size, guess->word);
	(void)fprintf(stderr, "`jpfs help%s%s` tells what there is\n", command != NULL ? " " : "",
		      command != NULL ? command : "");
	return JPFS_EXIT_USAGE;
}

int jpfs_fail_command(const char *name)
{
	struct guess guess = {.distance = SIZE_MAX};

	for (size_t i = 0; i < jpfs_command_count; i++) {
		if (jpfs_commands[i].help != NULL)
			consider(&guess, name, jpfs_commands[i].name,
				 strlen(jpfs_commands[i].name));
	}
	for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++) {
		if (strcmp(name, other_names[i].elsewhere) == 0)
			guess = (struct guess){.word = other_names[i].here,
					       .size = strlen(other_names[i].here)};
	}
	jpfs_tell("there is no command %s", name);
	return fail(NULL, &guess);
}

int jpfs_fail_option(const char *command, const char *option)
{
	const char *text = command != NULL ? jpfs_command_find(command)->help : "", *word;
	struct guess guess = {.distance = SIZE_MAX};
	size_t size;

	while (strncmp(option, "--", 2) == 0 && (word = jpfs_next_option(&text, &size)) != NULL)
		consider(&guess, option, word, size);
	if (strncmp(option, "--", 2) == 0) {
		consider(&guess, option, "--help", strlen("--help"));
		if (command == NULL)
			consider(&guess, option, "--version", strlen("--version"));
	}
	jpfs_tell("%s%sthere is no option %s", command != NULL ? command : "",
		  command != NULL ? ": " : "", option);
	return fail(command, &guess);
}
