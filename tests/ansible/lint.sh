#!/usr/bin/env bash
# The collection fleetcap.fleet as its tools see it: syntax, the rules of ansible-lint for production, a build, and that the table of
# variables in its README is that of the roles.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-ansible-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
for tool in ansible-playbook ansible-lint ansible-galaxy; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done
# Nothing of this machine's own configuration, and nothing left behind in the checkout.
export HOME=$work XDG_CACHE_HOME=$work/cache LC_ALL=C.UTF-8 ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_LOCAL_TEMP=$work/tmp
unset ANSIBLE_CONFIG

that() { # sentence command...
    "${@:2}" >"$work/output" 2>&1 || { cat "$work/output" && printf 'FAILED: %s\n' "$1" && exit 1; }
    printf 'ok: %s\n' "$1"
}
is_up_to_date() { diff <(/usr/bin/python3 "$top/tests/ansible/variables.py" "$top/ansible") <(sed -n '/^<!-- variables/,/^<!-- end/p' "$top/ansible/README.md"); }
every_playbook() {
    local playbook
    for playbook in "$top"/ansible/playbooks/*.yml; do
        ansible-playbook --syntax-check -i "$top/ansible/inventory/example/hosts.yml" "$playbook"
    done
}
example_hosts() { ansible-inventory -i "$top/ansible/inventory/example/hosts.yml" --list; }

cp -r "$top/ansible" "$work/checkout"
that "the collection builds and installs from the checkout" ansible-galaxy collection install --offline "$work/checkout"
that "every playbook has a good syntax" every_playbook
that "the example inventory is one" example_hosts
cd "$work/checkout"
that "ansible-lint finds nothing, by its rules for production" ansible-lint --offline --nocolor --profile production
mv "$work/output" "$work/lint"
that "in many files" grep -E 'Passed with production profile: 0 failure\(s\), 0 warning\(s\) on [0-9]{2,} files' "$work/lint"
that "the README's variables are those of the roles" is_up_to_date
