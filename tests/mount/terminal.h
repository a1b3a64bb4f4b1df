/*
 * Programs that want a terminal: typed into as a person would, each time when what is expected is
 * on the screen.
 */
#pragma once

#include "tests/mount/fixture.h"

/*
 * Put `../typed.py` there, and in `../terminal.sh` what scripts need to use it:
 *
 *     typed EXPECT KEYS ... -- COMMAND...
 *
 * KEYS may have escapes (`\r`, `\x1b`). EXPECT is looked for in what came since the last one. Fails, with
 * all that was seen, when the command fails or something never comes.
 */
void fixture_terminal(struct fixture *fixture);
