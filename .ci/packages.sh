# packages.sh: the Debian 12 packages that building, the demonstration and the tests need; sourced by quickstart and
# check.
# shellcheck shell=bash disable=SC2034 # the lists are for those who source this

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libnng-dev libmbedtls-dev libpcap-dev libprotobuf-c-dev
    libprotobuf-dev protobuf-c-compiler protobuf-compiler libsqlite3-dev libjansson-dev libyaml-dev libcmocka-dev
    libsmartcols-dev uthash-dev libcap-ng-dev libseccomp-dev libzstd-dev libmnl-dev libnftnl-dev libsystemd-dev
    libcurl4-gnutls-dev)
packages_fleet=(iproute2 procps util-linux jq openssl)
packages_demo=(dnsmasq-base nginx curl tshark)
packages_debian=(build-essential debhelper dpkg-dev fakeroot git lintian)
packages_ansible=(ansible-core ansible-lint openssh-client)
packages_machine=(debootstrap) # tests/packages/machine: only for the long tests
packages_test=(clang clang-format libclang-rt-14-dev tcpdump netsniff-ng shellcheck zsh python3 iputils-ping nftables ethtool sqlite3 zstd mandoc systemd)

packages_missing() {
    local package
    for package; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
    done
}

# Installs what is missing of the packages named, without a question and without starting any of their services.
packages_install() {
    local -a missing=()
    local policy=/usr/sbin/policy-rc.d made=no status=0
    mapfile -t missing < <(packages_missing "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    printf 'installing %s\n' "${missing[*]}"
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        made=yes
    fi
    { apt-get update -qq || apt-get update -qq; } &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        status=$?
    [[ $made == no ]] || rm -f "$policy"
    return $status
}
