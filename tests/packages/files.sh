#!/usr/bin/env bash
# cmake --install: these files and no others; manual pages that a judge has nothing to say about, with cross references that lead
# somewhere; completions that the shells can read.
set -euo pipefail

work=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-files.XXXXXX")
trap 'rm -rf "$work"' EXIT

die() { printf 'FAILED: %s\n' "$*" >&2 && exit 1; }
for tool in mandoc zsh; do
    command -v $tool >/dev/null || die "there is no $tool"
done

prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "${FLEET_BUILD:?}/CMakeCache.txt")
DESTDIR=$work cmake --install "$FLEET_BUILD" >/dev/null
(cd "$work" && find . -type f | sed 's|^\.||' | LC_ALL=C sort) >"$work.files"
trap 'rm -rf "$work" "$work.files"' EXIT
sed "s|^/usr/|$prefix/|" <<'LIST' | LC_ALL=C sort >"$work/expected"
/etc/fleetcap/coordinator.yaml
/etc/fleetcap/node.yaml
/usr/bin/fleetcap
/usr/bin/fleetcap-coordinator
/usr/bin/fleetcap-node
/usr/lib/systemd/system/fleetcap-coordinator.service
/usr/lib/systemd/system/fleetcap-enroll.service
/usr/lib/systemd/system/fleetcap-node.service
/usr/lib/sysusers.d/fleetcap-coordinator.conf
/usr/lib/sysusers.d/fleetcap-node.conf
/usr/lib/tmpfiles.d/fleetcap-node.conf
/usr/libexec/fleetcap/fleetcap-capture
/usr/share/bash-completion/completions/fleetcap
/usr/share/man/man1/fleetcap.1
/usr/share/man/man5/fleetcap-config.yaml.5
/usr/share/man/man5/fleetcap-coordinator.yaml.5
/usr/share/man/man5/fleetcap-definition.5
/usr/share/man/man5/fleetcap-node.yaml.5
/usr/share/man/man8/fleetcap-capture.8
/usr/share/man/man8/fleetcap-coordinator.8
/usr/share/man/man8/fleetcap-node.8
/usr/share/zsh/site-functions/_fleetcap
LIST
diff "$work/expected" "$work.files" || die "other files are installed than expected"
echo "ok: the files"

echo "mine: yes" >"$work/etc/fleetcap/node.yaml"
DESTDIR=$work cmake --install "$FLEET_BUILD" >/dev/null
[[ $(<"$work/etc/fleetcap/node.yaml") == "mine: yes" ]] || die "a configuration was overwritten"
for unit in "$work$prefix"/lib/systemd/system/*.service; do
    grep -q "^ExecStart=$prefix/bin/fleetcap" "$unit" || die "$unit names no program that is there"
done
echo "ok: a second time leaves the configuration alone; units name the programs"

for program in fleetcap fleetcap-coordinator fleetcap-node; do
    "$work$prefix/bin/$program" --version >/dev/null || die "$program does not run"
    "$work$prefix/bin/$program" --help >/dev/null || die "$program has no help"
done
for program in bin/fleetcap bin/fleetcap-coordinator bin/fleetcap-node libexec/fleetcap/fleetcap-capture; do
    for wrong in --nonsense nonsense; do
        status=0
        said=$("$work$prefix/$program" $wrong 2>&1 >/dev/null) || status=$?
        [[ $status -eq 2 && $said == *"${program##*/}: "*"$wrong"* ]] || die "$program $wrong: status $status, $said"
    done
done
echo "ok: the programs run where they are, and name an argument that is wrong"

mapfile -t pages < <(find "$work$prefix/share/man" -type f)
mandoc -Tlint -W warning "${pages[@]}" || die "mandoc has something to say"
for page in "${pages[@]}"; do
    read -r _ _ section date _ <"$page"
    [[ $section == "${page##*.}" ]] || die "$page says that it is of section $section"
    [[ $date =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}$ ]] || die "$page has no date: $date"
    # Every page that another one refers to, when it is one of ours.
    sed -n 's/^\.BR fleetcap\([^ ]*\) (\([0-9]\)).*/fleetcap\1.\2/p' "$page" | tr -d "\\\\" | while read -r name; do
        [[ -f $work$prefix/share/man/man${name##*.}/$name ]] || die "$page refers to $name, which is not there"
    done
    if mandoc -Tutf8 "$page" | col -b | grep -E '[.](B|BR|I|IR|PP|RS|SH|TP)( |$)'; then die "$page shows a request of roff as text"; fi
done
# What stands below a table is a paragraph, and not the end of the table's last row.
mandoc -Tutf8 "$work$prefix/share/man/man5/fleetcap-definition.5" | col -b | grep '^ *Sizes are bytes' >/dev/null ||
    die "fleetcap-definition.5 has a paragraph inside a tag"
echo "ok: ${#pages[@]} manual pages"

# shellcheck disable=SC2016 # for the shell inside
bash -c 'source "$1" && COMP_WORDS=(fleetcap capt) COMP_CWORD=1 && _fleetcap && [[ ${COMPREPLY[*]} == capture ]]' \
    bash "$work$prefix/share/bash-completion/completions/fleetcap" || die "the completion for bash"
zsh -fn "$work$prefix/share/zsh/site-functions/_fleetcap" || die "the completion for zsh"
head -1 "$work$prefix/share/zsh/site-functions/_fleetcap" | grep -q '^#compdef fleetcap$' || die "compinit would not find the completion"
echo "ok: completions"
