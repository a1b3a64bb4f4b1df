/*
 * Telling the kernel: by its connections, where that waits for nobody, and by the companion, which
 * asks through the mount, where the kernel would make us wait (notify.h has why).
 *
 * An answer of ours may still be on its way to the kernel when what it says is taken back: so what
 * the kernel did not know, and any listing, is told once more a moment later.
 */
#include "fs/node.h"
#include "fs/notify_parts.h"
#include "fs/view.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_TIMES 3

/* A connection to the kernel. */
struct jpfs_connection {
	struct jpfs_connection *next;
	const struct jpfs_kernel *kernel;
	void *session;
	struct jpfs_nodes *nodes;
	dev_t device;
};

/* Something to be told once more. */
struct jpfs_again {
	struct jpfs_again *next;
	uint64_t nodeid;
	bool listing;
	unsigned times;
};

static void tell_again(struct jpfs_notify *notify, uint64_t nodeid, bool listing, unsigned times)
{
	struct jpfs_again *again = times > 0 ? malloc(sizeof(*again)) : NULL;

	if (again == NULL)
		return;
	*again = (struct jpfs_again){.nodeid = nodeid, .listing = listing, .times = times};
	pthread_mutex_lock(&notify->lock);
	again->next = notify->again;
	notify->again = again;
	pthread_mutex_unlock(&notify->lock);
	jpfs_notify_wake(notify);
}

static void tell_inode(struct jpfs_notify *notify, uint64_t nodeid, bool listing, unsigned times)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);
	bool is_on_its_way = listing;

	for (struct jpfs_connection *one = notify->connections; one != NULL; one = one->next) {
		/* From -1: the attributes alone. From 0: the pages too, and a directory's hold its
		 * listing; nobody holds those locked while waiting for us. */
		int r = one->kernel->inval_inode(one->session, nodeid, listing ? 0 : -1);

		if (r == -ENOENT && jpfs_nodes_has(one->nodes, nodeid))
			is_on_its_way = true;
	}
	jp_unlockp(&held);
	if (is_on_its_way)
		tell_again(notify, nodeid, listing, times);
}

void jpfs_notify_inode(struct jpfs_notify *notify, uint64_t nodeid, bool listing)
{
	tell_inode(notify, nodeid, listing, AGAIN_TIMES);
}

void jpfs_notify_partitions(struct jpfs_notify *notify, struct jpfs_view *view)
{
	if (notify == NULL)
		return;
	tell_inode(notify, view->root.serial, true, AGAIN_TIMES);
	tell_inode(notify, view->archive.serial, true, AGAIN_TIMES);
}

bool jpfs_notify_device(struct jpfs_notify *notify, dev_t *ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	if (notify->connections == NULL)
		return false;
	*ret = notify->connections->device;
	return true;
}

/* Have the companion prod a name, or (`st` not NULL) repeat a change. 0 or -errno. */
static int tell_companion(struct jpfs_notify *notify, const char *path, enum jpfs_change change,
			  const struct stat *st)
{
	dev_t device;
	int r = -EAGAIN;

	/* Without the lock: what the companion does, others of our threads answer. */
	if (notify->companion_fd < 0 || !jpfs_notify_device(notify, &device))
		return -EPIPE;
	for (int tries = 0; r == -EAGAIN && tries < 1000; tries++) {
		if (tries > 0)
			(void)poll(NULL, 0, 1);
		r = st != NULL
			    ? jpfs_companion_repeat(notify->companion_fd, device, path, change, st)
			    : jpfs_companion_prod(notify->companion_fd, device, path);
	}
	return r;
}

/* Whether the kernel has this directory on the mount that paths lead to: nobody can watch another. */
static bool kernel_has(struct jpfs_notify *notify, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	return notify->connections != NULL && jpfs_nodes_has(notify->connections->nodes, nodeid);
}

bool jpfs_notify_repeat(struct jpfs_notify *notify, uint64_t directory, const char *path,
			enum jpfs_change change, const struct stat *st)
{
	return kernel_has(notify, directory) && tell_companion(notify, path, change, st) == 0;
}

void jpfs_notify_name(struct jpfs_notify *notify, uint64_t directory, const char *path)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	const char *name = strrchr(path, '/') + 1;
	int r = tell_companion(notify, path, JPFS_CHANGED, NULL);

	held = jp_lock(&notify->sessions_lock);
	for (struct jpfs_connection *one = notify->connections; one != NULL; one = one->next) {
		/* An older mount has no path that leads to it any more. */
		if (r < 0 || one != notify->connections)
			one->kernel->inval_entry(one->session, directory, name);
	}
}

int jpfs_notify_attach(struct jpfs_notify *notify, const struct jpfs_kernel *kernel, void *session,
		       struct jpfs_nodes *nodes, dev_t device)
{
	struct jpfs_connection *connection = malloc(sizeof(*connection));
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (connection == NULL)
		return -ENOMEM;
	held = jp_lock(&notify->sessions_lock);
	*connection = (struct jpfs_connection){notify->connections, kernel, session, nodes, device};
	notify->connections = connection;
	return 0;
}

void jpfs_notify_detach(struct jpfs_notify *notify, const void *session)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	for (struct jpfs_connection **link = &notify->connections; *link != NULL;
	     link = &(*link)->next) {
		if ((*link)->session == session) {
			struct jpfs_connection *gone = *link;

			*link = gone->next;
			free(gone);
			return;
		}
	}
}

void jpfs_notify_say_again(struct jpfs_notify *notify)
{
	struct jpfs_again *list;

	pthread_mutex_lock(&notify->lock);
	list = notify->again;
	notify->again = NULL;
	pthread_mutex_unlock(&notify->lock);
	while (list != NULL) {
		struct jpfs_again *again = list;

		list = again->next;
		tell_inode(notify, again->nodeid, again->listing, again->times - 1);
		free(again);
	}
}

bool jpfs_notify_has_again(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);

	return notify->again != NULL;
}

void jpfs_notify_forget_kernel(struct jpfs_notify *notify)
{
	while (notify->again != NULL) {
		struct jpfs_again *gone = notify->again;

		notify->again = gone->next;
		free(gone);
	}
	while (notify->connections != NULL) {
		struct jpfs_connection *gone = notify->connections;

		notify->connections = gone->next;
		free(gone);
	}
}
