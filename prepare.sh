# prepare.sh - sourced by ./start and ./check: installs the Debian packages that are
# missing.  prepare_packages building|testing
say() { printf '%s: %s\n' "$name" "$*"; }
fail() { printf '%s: %s\n' "$name" "$*" >&2; exit 1; }

wanted_packages() {
    if [ "$1" = testing ]; then
        grep -v '^#' packages.txt
    else
        sed '/^# test/,$d' packages.txt | grep -v '^#'
    fi
}

prepare_packages() {
    missing=
    command -v dpkg-query >/dev/null || fail "this is not Debian; install what packages.txt lists, then build with cmake --preset release"
    for package in $(wanted_packages "$1"); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        say "all Debian packages are there"
        return
    fi
    say "installing$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing and there is no sudo; as root run: apt-get install$missing"
        as_root=sudo
    fi
    # A package list that is there is tried first; a stale one is renewed.
    install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    # shellcheck disable=SC2086
    if ! $as_root $install $missing </dev/null >/dev/null 2>&1; then
        $as_root apt-get update -qq </dev/null >/dev/null 2>&1 || true
        # shellcheck disable=SC2086
        $as_root $install $missing </dev/null >/dev/null || fail "apt-get could not install$missing; see its message above"
    fi
}
