#!/usr/bin/env bash
# README's two commands on a machine that has only what README asks for: a bare Debian of its own, in a temporary folder.
#
#     envs/fresh_machine.sh [--demo] [bookworm|trixie]
#
# bookworm (the default) has Python 3.11, trixie 3.13. --demo leaves out `make test`. Needs root, debootstrap (apt-get install debootstrap), a
# network, 10 GB below $TMPDIR (/tmp), and half an hour. It runs the last commit of this checkout, not what is changed since.
# The host lends how it reaches the network: names, certificates, its mirror of Debian, pip's configuration.
# All is printed and goes to results/fresh_machine/<release>.log. Whatever is mounted is so in a namespace of its own, which no
# other process sees, and ends with it; the folder is removed after that, also after Ctrl-C.
set -euo pipefail
checkout="$(cd "$(dirname "$0")/.." && pwd)"

install_and_run() { # inside the namespace: release, folder of the Debian, commands
    local release="$1" root="$2" certificates=/etc/ssl/certs/ca-certificates.crt mirror=""
    mirror="$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' 2>/dev/null | grep -m1 '/debian$' || true)"
    debootstrap --variant=minbase --include=python3-venv,make,git,ca-certificates "$release" "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
        { tail -5 "$root.log" && return 1; }
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mkdir -p "$root/dev/shm" "$root/dev/pts" && mount -t tmpfs tmpfs "$root/dev/shm" && mount -t devpts devpts "$root/dev/pts"

    for file in /etc/resolv.conf /etc/hosts "$certificates" /etc/pip.conf /etc/xdg/pip "$HOME/.config/pip"; do
        [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -RL "$file" "$root$(dirname "$file")"; }
    done
    [ "$HOME" = /root ] || [ ! -d "$root$HOME/.config" ] || cp -R "$root$HOME/.config" "$root/root"
    lend_folders_of_packages "$root"
    git clone --quiet --no-hardlinks "file://$checkout" "$root/root/usaid"

    echo "--- $(. "$root/etc/os-release" && echo "$PRETTY_NAME"), $(chroot "$root" python3 --version), $(git -C "$root/root/usaid" log -1 --format=%h)"
    local lent=()
    mapfile -t lent < <(env | grep -E '^(PIP_|(https?|no)_proxy=|(HTTPS?|NO)_PROXY=|SSL_CERT_FILE=|REQUESTS_CA_BUNDLE=)')
    for command in "${@:3}"; do
        local start=$SECONDS
        echo "--- $command"
        chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${lent[@]}" \
            bash -c "cd /root/usaid && $command" </dev/null || { echo "--- $command failed" && return 1; }
        echo "--- $command: $((SECONDS - start)) s; $(du -sm "$root/root/usaid/.venv" | cut -f1) MB in .venv"
    done
}

lend_folders_of_packages() { # folders of this machine that pip's configuration names, to be read
    local folder
    python3 -m pip config list 2>/dev/null | grep -oE "(file://)?/[^' ]+" | sed 's#^file://##' | while read -r folder; do
        [ "$(basename "$folder")" != simple ] || folder="$(dirname "$folder")" # an index, whose files lie beside it
        if [ -d "$folder" ] && [ ! -e "$1$folder" ]; then
            mkdir -p "$1$folder"
            mount --bind "$folder" "$1$folder"
            mount -o remount,bind,ro "$1$folder"
        fi
    done
}

if [ "${1:-}" = --in-namespace ]; then
    install_and_run "${@:2}"
    exit
fi

commands=("make demo" "make test")
[ "${1:-}" != --demo ] || { commands=("make demo") && shift; }
release="${1:-bookworm}"
case "$release" in bookworm | trixie) ;; *) echo "error: $release: must be bookworm or trixie" >&2 && exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "error: needs root, for chroot" >&2 && exit 2; }
command -v debootstrap >/dev/null || { echo "error: needs debootstrap: apt-get install debootstrap" >&2 && exit 2; }

log="$checkout/results/fresh_machine/$release.log"
mkdir -p "$(dirname "$log")"
root="$(mktemp -d "${TMPDIR:-/tmp}/usaid-$release-XXXXXX")"
unshare --mount --pid --fork --kill-child --mount-proc "$0" --in-namespace "$release" "$root" "${commands[@]}" > >(tee "$log") 2>&1 &
inside=$!
# Killed, unshare takes with it all that runs inside, and so the mounts. Only then is the folder removed.
trap 'kill -KILL "$inside" 2>/dev/null || true; wait; rm -rf --one-file-system "$root" "$root.log"' EXIT
trap 'exit 130' INT TERM
wait "$inside"
