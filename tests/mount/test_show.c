/* `jpfs show`: which version of which conversation it prints, mounted and not. */
#include "tests/mount/fixture.h"

static void a_conversation_is_shown_wherever_it_is(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	/* Nothing is kept yet. */
	STEP(&f, "\"$J\" show 17457886043 > ../before; head -1 ../before | grep -q '^# '\n"
		 "[ ! -e \"$S\" ]");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/17457886045-third-title\"\n"
		 "\"$J\" show $X | cmp - ../before\n"
		 "cp -a \"$D/$X\" \"$D/17457886099-local-only\"\n"
		 "\"$J\" show 17457886099 | grep -q '^Conversation 17457886099,'\n"
		 "mkdir -p \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/$X\"\n"
		 "\"$J\" show 17457886043 | cmp - ../before\n"
		 "echo '[{' > \"$V/.archive/$X/events.json\"\n" /* a draft */
		 "\"$J\" show 17457886043 | grep -q 'is not JSON after'\n"
		 "\"$J\" discard 17457886043\n"
		 "if \"$J\" show 99999; then fail none; fi\n"
		 "if \"$J\" show; then fail usage; elif [ $? != 2 ]; then fail code; fi");
	fixture_umount(&f);
	STEP(&f, "\"$J\" show 17457886043 | cmp - ../before\n"
		 "\"$J\" show 17457886099 | grep -q '^Conversation 17457886099,'");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_conversation_is_shown_wherever_it_is),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("show", tests);
}
