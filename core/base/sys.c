/* The real system calls behind the table of sys.h. */
#include "core/base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int real_renameat2(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			  unsigned flags)
{
	return renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

const struct jp_sys jp_sys_real = {
	.pwrite = pwrite,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.renameat2 = real_renameat2,
	.linkat = linkat,
	.symlinkat = symlinkat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
	.fchmod = fchmod,
	.fchmodat = fchmodat,
	.futimens = futimens,
};

const struct jp_sys *jp_sys = &jp_sys_real;
