#!/bin/sh
# Installs the programs that some tests drive for real (promtool, Prometheus, Alertmanager,
# Chromium) where this may be done: as root on a Debian-like system. Anywhere else it only says
# what is missing; the tests that need a missing program say so by name and do not run.
set -eu

missing=""
command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
command -v prometheus-alertmanager >/dev/null 2>&1 || command -v alertmanager >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed (some tests will not run):$missing"
    exit 0
fi
echo "installing for the tests:$missing"
# The packages must not start their services: the tests start their own, on free ports.
guard=/usr/sbin/policy-rc.d
[ -e "$guard" ] || { printf '#!/bin/sh\nexit 101\n' > "$guard"; chmod +x "$guard"; made=yes; }
apt-get update -qq >/dev/null || true
# shellcheck disable=SC2086 # a list of package names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install:$missing"
[ "${made:-no}" = no ] || rm -f "$guard"
