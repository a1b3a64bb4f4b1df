#!/bin/sh
# The manual: `pages.sh PROGRAM SOURCE BUILD`. Each command has a page, and mandoc finds no fault.
set -eu
program=$1 source=$2 build=$3

status=0
"$program" complete commands | cut -f1 | while read -r command; do
	if [ ! -s "$build/man/jpfs-$command.1" ]; then
		echo "no page for \`jpfs $command\`: add it to page_commands in man/meson.build"
		exit 1
	fi
done || status=1
if ! command -v mandoc >/dev/null; then
	[ $status -eq 0 ] || exit 1
	echo 'skipped: mandoc is not installed'
	exit 77
fi
# That the other pages are not installed here is no fault.
if mandoc -Tlint "$source/man/jpfs.5" "$source/man/mount.jpfs.8" "$build"/man/*.1 | grep -v 'referenced manual not found'; then
	status=1
fi
exit $status
