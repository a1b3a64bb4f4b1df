/*
 * Whoever syncs while the background is storing the same version waits for what that waits for.
 *
 * The background is stopped where it syncs the durable directory; the version has its name there by then, and
 * nothing is left to be committed.
 */
#include "core/base/sys.h"
#include "tests/fault/editor.h"

#include <pthread.h>
#include <stdatomic.h>

/* It contains the version that it replaces: no other directory is synced than the durable one. */
#define NEXT_TURN "[\n" EVENT("one") ",\n" EVENT("two") ",\n" EVENT("three") "\n]\n"

static struct jp_sys slow;
static atomic_bool is_first, is_let_go;
static atomic_uint synced; /* directories, to the end */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_there_now;

static int fsync_slowly(int fd)
{
	struct stat st;
	bool is_directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

	if (is_directory && atomic_exchange(&is_first, false)) {
		pthread_mutex_lock(&lock);
		is_there_now = true;
		pthread_cond_broadcast(&changed);
		while (!atomic_load(&is_let_go))
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
	}
	atomic_fetch_add(&synced, is_directory ? 1 : 0);
	return 0;
}

static void *commit(void *argument)
{
	int64_t wait;

	return jpfs_commit_conversation(argument, false, &wait) == 0 ? argument : NULL;
}

static void let_go(void)
{
	pthread_mutex_lock(&lock);
	atomic_store(&is_let_go, true);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int sync_file(struct jpfs_conversation *conversation)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	int r;

	pthread_mutex_lock(&conversation->lock);
	r = jpfs_entry_lookup_locked(conversation, "events.json", &entry);
	pthread_mutex_unlock(&conversation->lock);
	if (r < 0)
		return r;
	object = &entry->object;
	return jpfs_entry_fsync(entry);
}

static int sync_directory(struct jpfs_conversation *conversation)
{
	return jpfs_sync_conversation(conversation, NULL);
}

static int (*sync_it)(struct jpfs_conversation *conversation);

static void save_and_sync(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	const struct jp_sys *before = jp_sys;
	void *result = NULL;
	pthread_t thread;

	slow = *before;
	slow.fsync = fsync_slowly;
	CHECK(editor_save(world, view, ID, "events.json", NEXT_TURN, EDITOR_CLOSES) == 0, "save");
	is_there_now = false;
	atomic_store(&is_let_go, false);
	atomic_store(&synced, 0);
	atomic_store(&is_first, true);
	jp_sys = &slow;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, commit, conversation), 0);
	pthread_mutex_lock(&lock);
	while (!is_there_now)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);

	CU_ASSERT_EQUAL(sync_it(conversation), 0);
	CU_ASSERT_EQUAL(atomic_load(&synced), 1);

	let_go();
	CU_ASSERT_EQUAL(pthread_join(thread, &result), 0);
	CU_ASSERT_PTR_NOT_NULL(result);
	/* And when nobody is storing anything, nothing is waited for. */
	atomic_store(&synced, 0);
	CU_ASSERT_EQUAL(sync_it(conversation), 0);
	CU_ASSERT_EQUAL(atomic_load(&synced), 0);
	jp_sys = before;
	jpfs_object_unref(&conversation->object);
}

static void prepare(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
}

static void run(int (*sync)(struct jpfs_conversation *conversation))
{
	sync_it = sync;
	attack_alone(prepare, save_and_sync);
}

static void a_file_is_synced_when_the_directory_is_that_has_its_name(void)
{
	run(sync_file);
}

static void a_directory_is_synced_when_what_was_just_put_into_it_is(void)
{
	run(sync_directory);
}

/* jp's way to save, with fsync(2): what is found out about the version is kept for the rename. Then half an
 * edit of the same file, in place, synced before it is closed. */
static void edit_in_place(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	struct jpfs_object *object;
	struct jpfs_entry *entry;
	int64_t wait;

	CU_ASSERT_EQUAL(editor_save_beside(world, view, ID, "events.json", NEXT_TURN, EDITOR_SYNCS),
			0);
	/* As the kernel does, which has the file and not only its name. */
	pthread_mutex_lock(&conversation->lock);
	CU_ASSERT_EQUAL_FATAL(jpfs_entry_lookup_locked(conversation, "events.json", &entry), 0);
	pthread_mutex_unlock(&conversation->lock);
	object = &entry->object;
	CU_ASSERT_EQUAL(jpfs_commit_conversation(conversation, true, &wait), 0);
	CU_ASSERT(holds(&world->dir, STORE NAME "/events.json", NEXT_TURN));
	CU_ASSERT_EQUAL(editor_save(world, view, ID, "events.json", "[ half an edit", EDITOR_SYNCS),
			0);
	CU_ASSERT_EQUAL(jpfs_commit_conversation(conversation, true, &wait), 0);
	CU_ASSERT(holds(&world->dir, STORE NAME "/events.json", NEXT_TURN));
	CU_ASSERT(holds(&world->dir, HERE NAME "/events.json", "[ half an edit"));
	jpfs_object_unref(object);
	jpfs_object_unref(&conversation->object);
}

static void what_was_found_out_about_other_bytes_is_not_used(void)
{
	attack_alone(prepare, edit_in_place);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_file_is_synced_when_the_directory_is_that_has_its_name),
		TEST(a_directory_is_synced_when_what_was_just_put_into_it_is),
		TEST(what_was_found_out_about_other_bytes_is_not_used),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-syncing", tests);
}
