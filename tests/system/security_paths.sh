#!/usr/bin/env bash
# Nothing outside a capture's directory can be read or written through fleetcap: names with "..", symlinks in place of
# segments, a symlink in place of the download directory's file.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 1
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-1 10
that "stop" fleetcap capture stop job
file=$(files_of web-1)
within 30 "its file is hashed" eval '[[ -n $(fleetcap capture files job -o json | jq -r ".[0].sha256 // empty") ]]'

for name in .. ../x x/y 'a b' '' "$(printf 'x%.0s' {1..64})"; do
    refused "the name \"${name:0:20}\" is refused" 2 '' fleetcap capture create -n "$name" --scale-set web
done

echo secret >"$TEST_DIR/secret"
chmod 644 "$TEST_DIR/secret"
cp "$file" "$TEST_DIR/kept"
rm "$file"
ln -s "$TEST_DIR/secret" "$file"
status=0
fleetcap capture download job --dir "$TEST_DIR/got" >"$TEST_DIR/said" 2>&1 || status=$?
that "a symlink in place of a segment is not followed" test "$status" -ne 0
that "its target is not fetched" test -z "$(grep -rl secret "$TEST_DIR/got" || true)"
rm "$file"
cp "$TEST_DIR/kept" "$file"
chown --reference="$(dirname "$file")" "$file"

directory=$(dirname "$file")
mv "$directory" "$directory.kept"
ln -s "$TEST_DIR" "$directory"
cp "$TEST_DIR/kept" "$TEST_DIR/$(basename "$file")"
status=0
fleetcap capture download job --dir "$TEST_DIR/got" >"$TEST_DIR/said" 2>&1 || status=$?
that "nor is a symlink in place of a directory" test "$status" -ne 0
rm "$directory"
mv "$directory.kept" "$directory"

rm -rf "$TEST_DIR/got"
that "the real file is fetched" fleetcap capture download job --dir "$TEST_DIR/got"
copy=$(find "$TEST_DIR/got" -name '*.pcapng')
that "and is the file" cmp "$copy" "$TEST_DIR/kept"
rm "$copy"
echo mine >"$TEST_DIR/mine"
ln -s "$TEST_DIR/mine" "$copy"
fleetcap capture download job --dir "$TEST_DIR/got" >"$TEST_DIR/said" 2>&1 || true
equal "a download writes through no symlink" mine "$(cat "$TEST_DIR/mine")"
