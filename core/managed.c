/*
 * What a name in a conversation directory means. See managed.h.
 *
 * The names of temporary files are those that the programs were seen to create, each with its
 * pattern in full. A wrong "temporary" costs a person the trace of a file that they removed and a
 * wrong "not temporary" costs a moment's useless copy, so where a pattern could be an ordinary
 * name, the ordinary name wins: `sedXXXXXX` must look random, and `NAME.bak` is what a person asked
 * for.
 */
#include "core/managed.h"

#include <stddef.h>
#include <string.h>

enum {
	RANDOM_CHARACTERS = 6,     /* what mkstemp(3) fills in */
	ATOMIC_SUFFIX_HEX_MIN = 6, /* a time in milliseconds or random hexadecimal digits */
	VIM_PROBE_FIRST = 4913,    /* vim's check whether it may create a file here */
	VIM_PROBE_STEP = 123,      /* what it adds while the name is taken */
	VIM_PROBE_TRIES_MAX = 10,  /* vim would go on; nobody has ten such files */
	VIM_PROBE_DIGITS = 4,      /* of each of these numbers */
};

static const char *const managed_names[JP_MANAGED_COUNT] = {
	[JP_METADATA] = "metadata.json",
	[JP_BASE_CONFIG] = "base_config.json",
	[JP_EVENTS] = "events.json",
};

/* The name without an affix: from `start`, `length` bytes. */
struct part {
	const char *start;
	size_t length;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool begins(struct part name, const char *prefix)
{
	size_t length = strlen(prefix);

	return name.length >= length && memcmp(name.start, prefix, length) == 0;
}

static bool ends(struct part name, const char *suffix)
{
	size_t length = strlen(suffix);

	return name.length >= length &&
	       memcmp(name.start + name.length - length, suffix, length) == 0;
}

/* `prefix`, at least one byte, `suffix`. */
static bool is_wrapped(struct part name, const char *prefix, const char *suffix)
{
	return name.length > strlen(prefix) + strlen(suffix) && begins(name, prefix) &&
	       ends(name, suffix);
}

/*
 * Whether the last six bytes are what mkstemp(3) makes. Words of six letters exist ("sediment" is
 * no file of sed's), so one digit or capital is asked for: one random name in two hundred has none.
 */
static bool ends_random(struct part name)
{
	bool is_word = true;

	if (name.length < RANDOM_CHARACTERS)
		return false;
	for (size_t i = name.length - RANDOM_CHARACTERS; i < name.length; i++) {
		char c = name.start[i];

		if (is_digit(c) || is_upper(c))
			is_word = false;
		else if (!is_lower(c))
			return false;
	}
	return !is_word;
}

/* `prefix`, then six random characters and nothing else. */
static bool is_random_after(struct part name, const char *prefix)
{
	return name.length == strlen(prefix) + RANDOM_CHARACTERS && begins(name, prefix) &&
	       ends_random(name);
}

/*
 * vim's and nano's swap files: `.NAME.swp`, then .swo, .swn and so on down to .swa while the one
 * before is taken. `.NAME.swx` and `.NAME.swpx` exist for a moment when vim finds out whether the
 * filesystem cuts names short. A buffer without a name has `.swp` itself.
 */
static bool is_swap(struct part name)
{
	struct part extension = name;

	if (name.length == 0 || name.start[0] != '.')
		return false;
	if (name.length > strlen(".swpx") && ends(name, ".swpx"))
		return true;
	if (name.length < strlen(".swp"))
		return false;
	extension.start += name.length - strlen(".swp");
	extension.length = strlen(".swp");
	return begins(extension, ".sw") &&
	       ((extension.start[3] >= 'a' && extension.start[3] <= 'p') ||
		extension.start[3] == 'x');
}

/* vim's `4913`, and the next numbers that it tries while that name is taken. */
static bool is_vim_probe(struct part name)
{
	int number = 0;

	if (name.length != VIM_PROBE_DIGITS)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		if (!is_digit(name.start[i]))
			return false;
		number = number * 10 + (name.start[i] - '0');
	}
	number -= VIM_PROBE_FIRST;
	return number >= 0 && number % VIM_PROBE_STEP == 0 &&
	       number / VIM_PROBE_STEP < VIM_PROBE_TRIES_MAX;
}

/*
 * `NAME.tmp`, and `NAME.tmp.<process>.<time or random>` as programs on Node.js write it: the last
 * part in hexadecimal digits, so that `notes.tmp.2024.md` stays an ordinary name.
 */
static bool is_atomic_write(struct part name)
{
	size_t hex = 0, digits = 0;

	if (is_wrapped(name, "", ".tmp"))
		return true;
	while (name.length > 0 &&
	       (is_digit(name.start[name.length - 1]) ||
		(name.start[name.length - 1] >= 'a' && name.start[name.length - 1] <= 'f'))) {
		name.length--;
		hex++;
	}
	if (hex < ATOMIC_SUFFIX_HEX_MIN || !ends(name, "."))
		return false;
	name.length--;
	while (name.length > 0 && is_digit(name.start[name.length - 1])) {
		name.length--;
		digits++;
	}
	return digits > 0 && is_wrapped(name, "", ".tmp.");
}

/* rsync's `.NAME.XXXXXX`; and Qt's `NAME.XXXXXX`, for managed names alone: with any name it would
 * be an ordinary extension too often. */
static bool is_random_extension(struct part name)
{
	struct part head = name;

	if (!ends_random(name))
		return false;
	head.length -= RANDOM_CHARACTERS;
	if (is_wrapped(head, ".", "."))
		return true;
	for (int which = 0; which < JP_MANAGED_COUNT; which++) {
		size_t length = strlen(managed_names[which]);

		if (head.length == length + 1 && begins(head, managed_names[which]) &&
		    head.start[length] == '.')
			return true;
	}
	return false;
}

enum jp_managed jp_managed_from_name(const char *name)
{
	for (int which = 0; which < JP_MANAGED_COUNT; which++) {
		if (strcmp(name, managed_names[which]) == 0)
			return (enum jp_managed)which;
	}
	return JP_UNMANAGED;
}

const char *jp_managed_name(enum jp_managed which)
{
	return which >= 0 && which < JP_MANAGED_COUNT ? managed_names[which] : NULL;
}

enum jp_managed jp_managed_from_temporary(const char *name)
{
	for (int which = 0; which < JP_MANAGED_COUNT; which++) {
		size_t length = strlen(managed_names[which]);

		if (strncmp(name, managed_names[which], length) == 0 &&
		    strcmp(name + length, ".tmp") == 0)
			return (enum jp_managed)which;
	}
	return JP_UNMANAGED;
}

bool jp_name_is_managed_temporary(const char *name)
{
	return jp_managed_from_temporary(name) != JP_UNMANAGED;
}

bool jp_name_is_temporary(const char *name)
{
	struct part all = {name, strlen(name)};

	return is_swap(all) || is_vim_probe(all) ||
	       is_wrapped(all, "", "~") ||          /* backups: vim, emacs, nano, and others */
	       is_wrapped(all, ".#", "") ||         /* emacs: lock, a dangling symbolic link */
	       is_wrapped(all, "#", "#") ||         /* emacs: autosave */
	       is_wrapped(all, ".~lock.", "#") ||   /* LibreOffice: lock */
	       is_wrapped(all, ".", ".kate-swp") || /* Kate: swap */
	       is_random_after(all, "sed") ||       /* sed -i */
	       is_random_after(all, "XX") ||        /* perl -i */
	       is_random_after(all, ".goutputstream-") || /* GLib: gedit and others */
	       is_random_extension(all) || is_atomic_write(all);
}
