/* Expressions. See pattern.h. */
#include "core/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	REGEX_MESSAGE_BYTES = 128,
	WORD_GROUP = 2,
	ASCII_END = 0x80,
	FIRST_PRINTABLE = 0x20,
};

static const char before_word[] = "(^|[^[:alnum:]_])(", after_word[] = ")([^[:alnum:]_]|$)";

/*
 * Two letters beyond ASCII have another case in it: the long s, and the i without a dot. To ignore
 * case would mean that any s and i may be written so, and that no text with one of them must be in
 * a match. So they are kept apart: unless they are searched for, others of the same size that have
 * no such case are put in their place where somebody looks.
 */
static const struct {
	char letter[3], other[3];
} apart[] = {
	{"\xc5\xbf", "\xc6\x92"}, /* U+017F, U+0192 */
	{"\xc4\xb1", "\xc6\x92"}, /* U+0131 */
};
enum { APART_COUNT = sizeof(apart) / sizeof(apart[0]) };

static bool has_apart(const char *text, size_t size)
{
	for (size_t i = 0; i < APART_COUNT; i++) {
		if (memmem(text, size, apart[i].letter, 2) != NULL)
			return true;
	}
	return false;
}

/* A copy with the others in their place; NULL: no memory. */
static char *keep_apart(const char *text, size_t size)
{
	char *copy = malloc(size + 1), *at;

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	for (size_t i = 0; i < APART_COUNT; i++) {
		while ((at = memmem(copy, size, apart[i].letter, 2)) != NULL)
			memcpy(at, apart[i].other, 2);
	}
	return copy;
}

/* ---- the text that every match has ---- */

/* A byte that stands in a file as itself, or in base64, and in nothing else. */
static bool is_plain(unsigned char byte, const struct jp_pattern_options *options)
{
	if (byte < FIRST_PRINTABLE || byte == '"' || byte == '\\')
		return false;
	return !options->ignore_case || byte < ASCII_END;
}

/* The longest text so far, and the one that is growing. */
struct run {
	char *text; /* of all that the expression could have */
	size_t begin, size;
	size_t best_begin, best_size;
};

static void end_run(struct run *run)
{
	if (run->size > run->best_size) {
		run->best_begin = run->begin;
		run->best_size = run->size;
	}
	run->begin += run->size;
	run->size = 0;
}

static void add_byte(struct run *run, char byte, const struct jp_pattern_options *options)
{
	if (is_plain((unsigned char)byte, options))
		run->text[run->begin + run->size++] = byte;
	else
		end_run(run);
}

/* The last character may be missing in a match. */
static void drop_character(struct run *run)
{
	while (run->size > 0 &&
	       ((unsigned char)run->text[run->begin + run->size - 1] & 0xc0) == 0x80)
		run->size--;
	run->size -= run->size > 0 ? 1 : 0;
}

/* Past "[...]", which begins at `text`. */
static const char *skip_bracket(const char *text)
{
	text++;
	text += *text == '^' ? 1 : 0;
	text += *text == ']' ? 1 : 0;
	while (*text != '\0' && *text != ']') {
		if (text[0] == '[' && text[1] != '\0' && strchr(".:=", text[1]) != NULL) {
			const char end[] = {text[1], ']', '\0'};
			const char *found = strstr(text + 2, end);

			text = found != NULL ? found + 2 : text + strlen(text);
		} else {
			text++;
		}
	}
	return *text == ']' ? text + 1 : text;
}

/* Past "(...)", which begins at `text`. */
static const char *skip_group(const char *text)
{
	size_t depth = 0;

	while (*text != '\0') {
		if (*text == '[') {
			text = skip_bracket(text);
			continue;
		}
		if (*text == '\\' && text[1] != '\0') {
			text += 2;
			continue;
		}
		depth += *text == '(' ? 1 : 0;
		depth -= *text == ')' ? 1 : 0;
		text++;
		if (depth == 0)
			break;
	}
	return text;
}

/* What says how often: "{2,3}", or one character. */
static size_t size_of_interval(const char *text)
{
	size_t size = text[0] == '{' ? 1 + strspn(text + 1, "0123456789,") : 1;

	return text[0] == '{' && text[size] == '}' ? size + 1 : 1;
}

/* What can't be missing in a match of an expression; false: there are alternatives. */
static bool scan_expression(const char *text, const struct jp_pattern_options *options,
			    struct run *run)
{
	while (*text != '\0') {
		switch (*text) {
		case '|':
		case '\n':
			return false;
		case '(':
			end_run(run);
			text = skip_group(text);
			continue;
		case '[':
			end_run(run);
			text = skip_bracket(text);
			continue;
		case '*':
		case '?':
		case '{':
			drop_character(run);
			end_run(run);
			text += size_of_interval(text);
			continue;
		case '+':
			/* Of "a+?" nothing needs to be there. */
			if (text[1] != '\0' && strchr("*?{+", text[1]) != NULL)
				drop_character(run);
			end_run(run);
			break;
		case '.':
		case '^':
		case '$':
		case ')':
		case '}':
			end_run(run);
			break;
		case '\\':
			/* Before anything else it has, or may have, a meaning of its own. */
			if (text[1] != '\0' &&
			    strchr(".[]()*+?{}|^$-/:,;!#%&=@~\"", text[1]) != NULL)
				add_byte(run, text[1], options);
			else
				end_run(run);
			text += text[1] != '\0' ? 1 : 0;
			break;
		default:
			add_byte(run, *text, options);
		}
		text += *text != '\0' ? 1 : 0;
	}
	return true;
}

static int make_sieves(struct jp_pattern *pattern, const char *text,
		       const struct jp_pattern_options *options)
{
	cleanup_free char *room = malloc(strlen(text) + 1);
	struct run run = {.text = room};

	if (room == NULL)
		return -ENOMEM;
	if (options->is_fixed) {
		if (strchr(text, '\n') != NULL)
			return 0;
		for (const char *at = text; *at != '\0'; at++)
			add_byte(&run, *at, options);
	} else if (!scan_expression(text, options, &run)) {
		return 0;
	}
	end_run(&run);
	if (run.best_size < JP_SIEVE_TEXT_MIN)
		return 0;
	pattern->has_sieves = true;
	jp_sieve_init_for_file(&pattern->file_sieve, room + run.best_begin, run.best_size,
			       options->ignore_case);
	jp_sieve_init_for_text(&pattern->text_sieve, room + run.best_begin, run.best_size,
			       options->ignore_case);
	return 0;
}

/* ---- the expression ---- */

/* Whether it refers back to a group: with one around it, the C library misses matches then. */
static bool refers_back(const char *text)
{
	for (; *text != '\0'; text++) {
		if (text[0] != '\\' || text[1] == '\0')
			continue;
		text++;
		if (*text >= '1' && *text <= '9')
			return true;
	}
	return false;
}

static char *put(char *end, const char *text)
{
	size_t size = strlen(text);

	memcpy(end, text, size);
	return end + size;
}

/* What the C library is given; NULL: no memory. */
static char *make_expression(const char *text, const struct jp_pattern_options *options)
{
	char *expression = malloc(2 * strlen(text) + sizeof(before_word) + sizeof(after_word));
	char *end = expression;

	if (expression == NULL)
		return NULL;
	end = put(end, options->is_word ? before_word : "");
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			*end++ = '|';
		} else if (options->is_fixed) {
			if (strchr("\\.[]()*+?{}|^$", *text) != NULL)
				*end++ = '\\';
			*end++ = *text;
		} else {
			*end++ = *text;
			/* What is escaped is not to be taken for the beginning of something. */
			if (text[0] == '\\' && text[1] != '\0')
				*end++ = *++text;
		}
	}
	*put(end, options->is_word ? after_word : "") = '\0';
	return expression;
}

int jp_pattern_init(struct jp_pattern *pattern, const char *text,
		    const struct jp_pattern_options *options, struct jp_error *error)
{
	cleanup_free char *expression = make_expression(text, options);
	int flags = REG_EXTENDED | (options->ignore_case ? REG_ICASE : 0), r;
	char message[REGEX_MESSAGE_BYTES];
	locale_t before;

	*pattern = (struct jp_pattern){.group = options->is_word ? WORD_GROUP : 0};
	if (expression == NULL)
		return -ENOMEM;
	if (options->is_word && !options->is_fixed && refers_back(text))
		return jp_error_set(error, -EINVAL,
				    "%s: whole words can't be had with a reference to a group",
				    text);
	pattern->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	before = uselocale(pattern->locale);
	r = regcomp(&pattern->regex, expression, flags);
	(void)uselocale(before);
	if (r == REG_ESPACE)
		return -ENOMEM;
	if (r != 0) {
		(void)regerror(r, &pattern->regex, message, sizeof(message));
		return jp_error_set(error, -EINVAL, "%s: %s", text, message);
	}
	pattern->is_compiled = true;
	/* Who searches for one of them finds each s or i: no text is a sure one then. */
	if (options->ignore_case && has_apart(text, strlen(text)))
		return 0;
	pattern->keeps_apart = options->ignore_case;
	return make_sieves(pattern, text, options);
}

void jp_pattern_release(struct jp_pattern *pattern)
{
	if (pattern->is_compiled)
		regfree(&pattern->regex);
	if (pattern->locale != (locale_t)0)
		freelocale(pattern->locale);
	*pattern = (struct jp_pattern){0};
}

/* ---- matching ---- */

bool jp_pattern_find(struct jp_pattern *pattern, const char *line, size_t size, size_t from,
		     struct jp_match *ret)
{
	regmatch_t groups[WORD_GROUP + 1] = {{.rm_so = (regoff_t)from, .rm_eo = (regoff_t)size}};
	cleanup_free char *copy = NULL;
	locale_t before;
	int r;

	if (pattern->keeps_apart && has_apart(line, size))
		copy = keep_apart(line, size);
	before = uselocale(pattern->locale);
	r = regexec(&pattern->regex, copy != NULL ? copy : line, WORD_GROUP + 1, groups,
		    REG_STARTEND);
	(void)uselocale(before);
	if (r != 0)
		return false;
	ret->begin = (size_t)groups[pattern->group].rm_so;
	ret->end = (size_t)groups[pattern->group].rm_eo;
	return true;
}

bool jp_pattern_may_be_in(const struct jp_pattern *pattern, struct jp_sieve_state *state,
			  const char *data, size_t size)
{
	return !pattern->has_sieves || jp_sieve_find(&pattern->file_sieve, state, data, size) > 0;
}

struct jp_match jp_line_at(const char *text, size_t size, size_t place)
{
	const char *before = place > 0 ? memrchr(text, '\n', place) : NULL;
	const char *after = memchr(text + place, '\n', size - place);
	struct jp_match line = {
		.begin = before != NULL ? (size_t)(before - text) + 1 : 0,
		.end = after != NULL ? (size_t)(after - text) : size,
	};

	if (after != NULL && line.end > line.begin && text[line.end - 1] == '\r')
		line.end--;
	return line;
}

bool jp_pattern_next_line(struct jp_pattern *pattern, const char *text, size_t size, size_t from,
			  struct jp_match *ret_line)
{
	while (from < size) {
		struct jp_sieve_state state = {0};
		size_t step = 1;
		struct jp_match match;
		const char *end;

		if (pattern->has_sieves)
			step = jp_sieve_find(&pattern->text_sieve, &state, text + from,
					     size - from);
		if (step == 0)
			return false;
		*ret_line = jp_line_at(text, size, from + step - 1);
		if (jp_pattern_find(pattern, text + ret_line->begin,
				    ret_line->end - ret_line->begin, 0, &match))
			return true;
		end = memchr(text + ret_line->end, '\n', size - ret_line->end);
		from = end != NULL ? (size_t)(end - text) + 1 : size;
	}
	return false;
}
