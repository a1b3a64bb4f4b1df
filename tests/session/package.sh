#!/bin/sh
# The Debian package: `package.sh SOURCE`. It is built, lintian has nothing to say, and it is installed
# into a root of its own, where it works (the sessions of the three shells are played with it), and from
# where removing and purging it leave nothing. Nothing of the machine's own is touched: dpkg is told
# of another root, and no maintainer script is there to run.
set -eu

source=$1
if ! "$source/scripts/install-packages" --check build package; then
	echo 'skipped: what builds packages is not installed'
	exit 77
fi
base=$(mktemp -d "${TMPDIR:-/tmp}/jpfs-deb.XXXXXX")
base=$(cd "$base" && pwd -P)
root=$base/root
trap 'rm -rf -- "$base"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "FAILED: $*"
	exit 1
}
# dpkg wants to be root, or to believe it.
as_root=''
if [ "$(id -u)" -ne 0 ]; then
	as_root=fakeroot
	if ! command -v fakeroot >/dev/null; then
		echo 'skipped: fakeroot is not installed'
		exit 77
	fi
fi
in_root() { # what the package needs is the machine's affair
	$as_root dpkg --root="$root" --force-depends --force-not-root --no-triggers "$@" >"$base/log" 2>&1 ||
		fail "dpkg $*: $(cat "$base/log")"
}
files() {
	find "$root" -path "$root/var/lib/dpkg" -prune -o ! -type d -print
}

"$source/scripts/package" "$base/out" >"$base/log" 2>&1 || fail "$(cat "$base/log")"
set -- "$base"/out/*.deb
[ $# -eq 1 ] || fail "not one package: $*"
deb=$1
for field in Version:[0-9] Depends:fuse3 Maintainer: Description:; do
	dpkg-deb -f "$deb" "${field%%:*}" | grep -q "${field#*:}" || fail "no ${field%%:*}"
done
[ "$(dpkg-deb -I "$deb" | grep -c '\*.*#!')" -eq 0 ] || fail 'there are maintainer scripts: look what they leave'

mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
: >"$root/var/lib/dpkg/status"
in_root -i "$deb"
dpkg --root="$root" -s jpfs | grep -qx 'Status: install ok installed' || fail 'not installed'
[ -z "$(dpkg --root="$root" --verify jpfs)" ] || fail "verify: $(dpkg --root="$root" --verify jpfs)"
[ "$("$root/usr/bin/jpfs" --version)" = "jpfs $(dpkg-deb -f "$deb" Version)" ] || fail 'another version'
[ "$(readlink "$root/usr/sbin/mount.fuse.jpfs")" = mount.jpfs ] || fail 'mount(8) will not find it'
grep -q "/usr/bin/jpfs" "$root/usr/sbin/mount.jpfs" || fail 'the helper runs another program'
"$root/usr/bin/jpfs" complete commands | cut -f1 >"$base/commands"
[ "$(wc -l <"$base/commands")" -gt 10 ] || fail 'no commands'
while read -r command; do
	[ -e "$root/usr/share/man/man1/jpfs-$command.1.gz" ] || fail "no manual page of $command"
done <"$base/commands"
for file in bash-completion/completions/jpfs zsh/vendor-completions/_jpfs fish/vendor_completions.d/jpfs.fish \
	man/man1/jpfs.1.gz man/man5/jpfs.5.gz man/man8/mount.jpfs.8.gz jpfs/git/post-checkout doc/jpfs/copyright; do
	[ -s "$root/usr/share/$file" ] || fail "no $file"
done
for unit in jpfs@.service jpfs-logout.service; do
	grep -q '/usr/bin/jpfs' "$root/usr/lib/systemd/user/$unit" || fail "$unit runs another program"
done

# It works: a fresh account in each shell that is here.
for shell in bash zsh fish; do
	code=0
	JPFS_PROGRAM=$root/usr/bin/jpfs python3 -B "$source/tests/session/session.py" $shell >"$base/log" 2>&1 ||
		code=$?
	case $code in
	0 | 77) cat "$base/log" ;;
	*) fail "with $shell: $(cat "$base/log")" ;;
	esac
done

in_root -i "$deb" # once more, as an upgrade does
[ -z "$(dpkg --root="$root" --verify jpfs)" ] || fail 'not whole after an upgrade'
in_root -r jpfs
[ -z "$(files)" ] || fail "removing it leaves $(files)"
in_root -P jpfs
[ -z "$(find "$root" -mindepth 1 -maxdepth 1 ! -name var)" ] || fail "purging it leaves $(find "$root")"
! dpkg --root="$root" -s jpfs >/dev/null 2>&1 || fail 'dpkg still knows it'
echo 'package: ok'
