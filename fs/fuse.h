/* The one place where libfuse comes in, so that all of the program means the same interface. */
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
