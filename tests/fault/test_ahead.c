/*
 * What is made ahead of a walk: that it is what would be found, and that nobody gets it once anything may be
 * otherwise.
 */
#include "core/base/sys.h"
#include "fs/ahead.h"
#include "fs/notify.h"
#include "tests/fault/attack.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT 40
#define ENTERED 5 /* so many are listed one after the other, and more are expected to be */
#define DEADLINE_MS 120000

static uint64_t id_of(unsigned index)
{
	return ID + 1000 + index;
}

static void prepare(struct attack_world *world)
{
	for (unsigned i = 0; i < COUNT; i++) {
		time_t then = attack_later();
		char place[PATH_MAX];

		(void)snprintf(place, sizeof(place), STORE "%llu-one",
			       (unsigned long long)id_of(i));
		put_conversation(&world->dir, place, META_OLD, "{}", ONE_TWO, then);
		(void)snprintf(place, sizeof(place), HERE "%llu-one", (unsigned long long)id_of(i));
		put_conversation(&world->dir, place, META_OLD, "{}", ONE_TWO, then);
	}
	attack_settle(world);
}

/* Without the effect that any other locking has. */
static bool is_made(struct jpfs_conversation *conversation)
{
	bool is;

	pthread_mutex_lock(&conversation->lock);
	is = conversation->foreseen != NULL;
	pthread_mutex_unlock(&conversation->lock);
	return is;
}

static bool comes_to(struct jpfs_conversation *conversation, bool made)
{
	int64_t until_ms = jpfs_now_ms() + DEADLINE_MS;

	while (is_made(conversation) != made && jpfs_now_ms() < until_ms)
		(void)poll(NULL, 0, 1);
	return is_made(conversation) == made;
}

/* Whether its names will do for whoever lists it. */
static bool enter(struct jpfs_view *view, unsigned index)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id_of(index));
	bool names_only = jpfs_ahead_entered(view, conversation);

	jpfs_object_unref(&conversation->object);
	return names_only;
}

/*
 * As the kernel asks for a walk: the root, and the first conversations.
 *
 * Shape:   is_asked  whether for files, too
 * Returns: a reference to one that comes, and is made by then.
 */
static struct jpfs_conversation *begin_walk(struct jpfs_view *view, bool is_asked)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id_of(12));
	struct jpfs_listing listing = {0};

	CU_ASSERT_EQUAL_FATAL(jpfs_notify_start(view, -EBADF), 0);
	CU_ASSERT_EQUAL_FATAL(jpfs_ahead_start(view), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%llu-one", (unsigned long long)id_of(i));
		CU_ASSERT_EQUAL_FATAL(jpfs_listing_add(&listing, name, 1, S_IFDIR), 0);
	}
	jpfs_ahead_listed(view, &listing);
	jpfs_listing_release(&listing);
	if (is_asked)
		jpfs_ahead_asked(view);
	for (unsigned i = 0; i < ENTERED; i++)
		(void)enter(view, i);
	CU_ASSERT(comes_to(conversation, true));
	return conversation;
}

static void end_walk(struct jpfs_view *view, struct jpfs_conversation *conversation)
{
	jpfs_object_unref(&conversation->object);
	jpfs_ahead_stop(view);
	jpfs_ahead_free(view);
	jpfs_notify_free(view);
}

/* The conversation as somebody meets it who lists it now. */
static size_t list(struct jpfs_conversation *conversation, off_t *ret_events_size)
{
	struct jpfs_listing listing = {.with_objects = true};
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_glance glance = JPFS_GLANCE_INIT;
	size_t count;

	held = jpfs_ahead_enter(conversation, &glance, &listing);
	count = listing.count;
	for (size_t i = 0; i < count; i++) {
		struct jpfs_entry *entry = jpfs_as_entry(listing.items[i].object);
		struct stat st;

		CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
		CU_ASSERT_EQUAL(jpfs_entry_stat_locked(entry, &st), 0);
		if (strcmp(listing.items[i].name, "events.json") == 0)
			*ret_events_size = st.st_size;
	}
	jpfs_listing_release(&listing);
	jpfs_glance_end(&glance);
	return count;
}

static void list_what_comes(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = begin_walk(view, true);
	off_t size = 0;

	(void)world;
	CU_ASSERT_EQUAL(list(conversation, &size), 3);
	CU_ASSERT_EQUAL(size, (off_t)strlen(ONE_TWO));
	/* It is handed over once. */
	CU_ASSERT_FALSE(is_made(conversation));
	CU_ASSERT_EQUAL(list(conversation, &size), 0);
	end_walk(view, conversation);
}

static void what_was_made_ahead_is_what_is_there(void)
{
	attack_alone(prepare, list_what_comes);
}

static void go_through_names(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = begin_walk(view, false);
	struct jpfs_listing listing = {0};
	struct jpfs_glance glance = JPFS_GLANCE_INIT;
	pthread_mutex_t *held;

	(void)world;
	held = jpfs_ahead_enter(conversation, &glance, &listing);
	CU_ASSERT_EQUAL(listing.count, 3);
	for (size_t i = 0; i < listing.count; i++)
		CU_ASSERT_PTR_NULL(listing.items[i].object);
	jpfs_listing_release(&listing);
	jpfs_glance_end(&glance);
	jp_unlockp(&held);

	CU_ASSERT_TRUE(enter(view, ENTERED));
	jpfs_ahead_asked(view);
	CU_ASSERT_FALSE(enter(view, ENTERED + 1));
	/* Who does not go on in their order is no walker. */
	CU_ASSERT_FALSE(enter(view, ENTERED + 5));
	end_walk(view, conversation);
}

static void names_alone_will_do_until_a_file_is_asked_for(void)
{
	attack_alone(prepare, go_through_names);
}

static void lock_one(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = begin_walk(view, true);

	(void)world;
	jpfs_conversation_lock(conversation);
	pthread_mutex_unlock(&conversation->lock);
	CU_ASSERT_FALSE(is_made(conversation));
	end_walk(view, conversation);
}

static void whoever_locks_a_conversation_makes_it_void(void)
{
	attack_alone(prepare, lock_one);
}

static void change_in_the_store(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = begin_walk(view, true);
	char path[200];

	(void)snprintf(path, sizeof(path), STORE "%llu-one/events.json",
		       (unsigned long long)id_of(12));
	put(&world->dir, path, ONE_OTHER, attack_later());
	CU_ASSERT(comes_to(conversation, false));
	end_walk(view, conversation);
}

static void a_change_in_the_store_makes_it_void(void)
{
	attack_alone(prepare, change_in_the_store);
}

static void stop_walking(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = begin_walk(view, true);

	(void)world;
	CU_ASSERT(comes_to(conversation, false));
	end_walk(view, conversation);
}

static void what_nobody_comes_for_is_let_go(void)
{
	attack_alone(prepare, stop_walking);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_was_made_ahead_is_what_is_there),
		TEST(names_alone_will_do_until_a_file_is_asked_for),
		TEST(whoever_locks_a_conversation_makes_it_void),
		TEST(a_change_in_the_store_makes_it_void),
		TEST(what_nobody_comes_for_is_let_go),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-ahead", tests);
}
