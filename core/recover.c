/* The rules of recovery. See recover.h. */
#include "core/recover.h"

/* A version that was durable once: what a commit replaced, or a pin. */
static enum jp_recovery decide_replaced(const struct jp_recover_facts *facts)
{
	if (facts->is_managed)
		return facts->is_contained ? JP_RECOVER_DROP : JP_RECOVER_KEEP;
	/* Of other files nothing is kept when they are written over through a mount. But what the
	 * workspace's copy took the place of, nobody here has seen. */
	return facts->has_durable && facts->state != JP_STAGED_COPY && facts->state != JP_STAGED_PIN
		       ? JP_RECOVER_DROP
		       : JP_RECOVER_TRASH;
}

static enum jp_recovery decide_managed(const struct jp_recover_facts *facts)
{
	if (!facts->is_valid || !facts->has_conversation)
		return JP_RECOVER_KEEP;
	if (!facts->has_durable || !facts->is_durable_valid || facts->contains)
		return JP_RECOVER_TAKE;
	/* What git put there, or who wrote on in a draft, takes nothing away from the store. */
	if (facts->is_contained && (facts->state == JP_STAGED_RESTORED || !facts->is_newer))
		return JP_RECOVER_DROP;
	if (facts->is_in_history && facts->state == JP_STAGED_RESTORED)
		return JP_RECOVER_DROP;
	return facts->is_newer ? JP_RECOVER_TAKE : JP_RECOVER_KEEP;
}

enum jp_recovery jp_recover_decide(const struct jp_recover_facts *facts)
{
	bool is_marked = facts->state != JP_STAGED_OPEN;

	if (facts->is_same || (facts->is_empty && (facts->is_managed || facts->is_temporary)))
		return JP_RECOVER_DROP;
	if (facts->state == JP_STAGED_PIN || (is_marked && !facts->is_marked_file))
		return decide_replaced(facts);
	if (facts->state == JP_STAGED_COPY)
		return JP_RECOVER_DROP;
	/* Half received, or taken by a power cut. */
	if (!is_marked || !facts->is_marked_size) {
		bool is_nothing = facts->is_empty || (facts->is_managed && facts->is_contained);

		return is_nothing ? JP_RECOVER_DROP : JP_RECOVER_TRASH;
	}
	/* Somebody closed it, and somebody else may have been writing. */
	if (facts->state == JP_STAGED_FLUSHED)
		return facts->is_contained ? JP_RECOVER_DROP
		       : facts->is_managed ? JP_RECOVER_KEEP
					   : JP_RECOVER_TRASH;
	if (facts->is_managed)
		return decide_managed(facts);
	if (facts->is_temporary || !facts->has_conversation)
		return JP_RECOVER_TRASH;
	return !facts->has_durable || facts->is_newer ? JP_RECOVER_TAKE : JP_RECOVER_TRASH;
}
