#!/usr/bin/env bash
# The runner of the runbooks itself: a page that is right passes, and every way of being wrong is found, at its line.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-run-test.XXXXXX")
mkdir "$TEST_DIR/tmp"
trap 'rm -rf "$TEST_DIR"' EXIT
trap 'exit 143' TERM INT

# A page: ~~~ stands for the backquotes, so that this file reads well.
page() { sed 's/^~~~/```/' >"$TEST_DIR/page.md"; }

no() {
    printf 'not ok: %s\n' "$1"
    cat "$TEST_DIR/said"
    exit 1
}

passes() { # sentence
    TMPDIR=$TEST_DIR/tmp "$HERE/run" --timeout 60 "$TEST_DIR/page.md" >"$TEST_DIR/said" 2>&1 || no "$1"
    echo "ok: $1"
}

fails() { # sentence line pattern [seconds that a command may take]
    local status=0
    TMPDIR=$TEST_DIR/tmp "$HERE/run" --timeout "${4:-60}" "$TEST_DIR/page.md" >"$TEST_DIR/said" 2>&1 || status=$?
    [[ $status -eq 1 ]] || no "$1: exit status $status"
    grep -qE "^FAILED: .*page\.md:$2: " "$TEST_DIR/said" || no "$1: not at line $2"
    grep -qE -- "$3" "$TEST_DIR/said" || no "$1: does not say \"$3\""
    echo "ok: $1"
}

page <<'PAGE'
# A page
~~~yaml it.yaml
number: 7
~~~
~~~console
$ seen=$(cat it.yaml) && echo "$seen"
number: 8
$ cd tests && cd ..
$ echo "web-3 at 10.77.9.13: 1,204 packets, 0 drops," \
      "from 2026-01-02T03:04:05.123Z to 04:05:06, web-3_01_02_03_0001.pcapng" |
      cat
web-3 at 10.77.0.13: 17 packets, 0 drops,
   from 2001-01-01T00:00:00.000Z to 00:00:00, web-3_00_00_00_0001.pcapng
$ printf '%s\n' a b c d
…
c
…
$ cat
$ rm it.yaml
~~~
~~~sh
$ this is no console block
~~~
PAGE
passes "one shell, files, numbers, times, and what is left out"

page <<'PAGE'
~~~console
$ true

$ false
~~~
PAGE
fails "a command that fails" 4 'exit status 1'

page <<'PAGE'
~~~console
$ false | cat
~~~
PAGE
fails "one that fails inside a pipeline" 2 'exit status 1'

page <<'PAGE'
~~~console
$ printf 'one\ntwo\n'
one
three
~~~
PAGE
fails "a line that is not printed" 4 'does not show here: three'

page <<'PAGE'
~~~console
$ printf 'one\ntwo\n'
one
~~~
PAGE
fails "a line more than the page shows" 3 'more than this'

page <<'PAGE'
~~~console
$ echo "4 drops"
0 drops
~~~
PAGE
fails "a number where the page says none" 3 'does not show here: 0 drops'

page <<'PAGE'
~~~console
$ echo "dropped 3, last"
dropped 0, last
~~~
PAGE
fails "the same before a comma" 3 'does not show here: dropped 0, last'

page <<'PAGE'
~~~console
$ echo "0 of 4"
3 of 4
~~~
PAGE
fails "none where the page says a number" 3 'does not show here: 3 of 4'

page <<'PAGE'
~~~console
$ echo "web-4 203.0.113.20"
web-3 203.0.113.20
~~~
PAGE
fails "another name" 3 'web-3'

page <<'PAGE'
~~~console
$ echo "web-3 203.0.113.21"
web-3 203.0.113.20
~~~
PAGE
fails "another address" 3 '203'

page <<'PAGE'
~~~console
$ if true
$ sleep 10
~~~
PAGE
fails "a command that is not complete" 2 'not complete'

page <<'PAGE'
~~~console
$ printf 'one
  two'
~~~
PAGE
passes "one that goes on inside of quotes"

page <<'PAGE'
~~~console
$ cat "this
~~~
PAGE
fails "one that goes on where the block ends" 2 'not complete'

page <<'PAGE'
~~~console
$ )
~~~
PAGE
fails "a command that the shell does not understand" 2 'exit status'

page <<'PAGE'
~~~console
$ sleep 90
~~~
PAGE
fails "a command that does not end" 2 'not done after 1 s' 1

page <<'PAGE'
~~~console
$ exit 0
$ true
~~~
PAGE
fails "a command that ends the shell" 2 'the shell ended'

page <<'PAGE'
~~~console
$ touch forgotten
~~~
PAGE
fails "a page that does not tidy up" 2 'leaves behind: forgotten'

page <<'PAGE'
Nothing here.
PAGE
fails "a page without commands" 1 'no command'

page <<'PAGE'

~~~console
$ true
PAGE
fails "a block without end" 2 'no end'

page <<'PAGE'
~~~yaml ../it.yaml
a: 1
~~~
~~~console
$ true
~~~
PAGE
fails "a file outside" 5 'own directory only'

page <<'PAGE'
~~~console
$ echo "ERROR: AddressSanitizer" >"${ASAN_OPTIONS##*log_path=}.1"
~~~
PAGE
! TMPDIR=$TEST_DIR/tmp "$HERE/run" "$TEST_DIR/page.md" >"$TEST_DIR/said" 2>&1 || no "a daemon that a sanitizer complained about"
grep -q 'FAILED: .*sanitizer complained' "$TEST_DIR/said" || no "a daemon that a sanitizer complained about is told"
echo "ok: a daemon that a sanitizer complained about"

[[ -z $(ls -A "$TEST_DIR/tmp") ]] || no "something is left of the places where pages ran"
echo "ok: nothing is left of the places where pages ran"
