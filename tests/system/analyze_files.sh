#!/usr/bin/env bash
# fleetcap analyze and compare on files alone: every kind of file, broken ones, processes that can do nothing but read.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PATH=$BUILD/bin:$PATH
cd "$TEST_DIR"
readonly STALE=10.99.0.53
capture() { "$HERE/dns_capture.py" "$@"; }
profile() { fleetcap analyze "$@" -o json | jq -S '.profiles[0] | .counters, .tables, .troubles, .sketches'; }
verdict() { fleetcap compare "$@" | sed -n 1p; }

# ---- one profile, whatever the file is wrapped in
mkdir plain ng packed
capture plain/web-1.pcap 10.0.0.11 10.0.0.2 40
editcap -F pcapng plain/web-1.pcap ng/web-1.pcapng
zstd -q ng/web-1.pcapng -o packed/web-1.pcapng.zst
profile plain/web-1.pcap >want
equal "a profile has what tshark counts" "$(tshark -n -r plain/web-1.pcap -Y 'dns.flags.response == 0' 2>/dev/null | wc -l)" \
    "$(fleetcap analyze plain/web-1.pcap -o json | jq '.profiles[0].counters.dnsQueries')"
equal "pcapng gives the same" "$(<want)" "$(profile ng/web-1.pcapng)"
equal "compressed, too" "$(<want)" "$(profile packed/web-1.pcapng.zst)"
# shellcheck disable=SC2002 # a pipe is what is meant
equal "and through a pipe" "$(<want)" "$(cat packed/web-1.pcapng.zst | profile -)"
fleetcap analyze plain/web-1.pcap --save-profile web-1.fcprofile >table
equal "and when it was saved" "$(<want)" "$(profile web-1.fcprofile)"
that "the table names instance and resolver" grep -q '^web-1, web-1.pcap' table
that "the table has the resolver" grep -qE 'resolvers +10\.0\.0\.2 \(40\)' table
capture lost.pcap 10.0.0.11 $STALE:unanswered 9
that "that none was answered is said, not left out" grep -qE '^ +dns +9 questions, 0 answered' <(fleetcap analyze lost.pcap)
equal "every question is listed" 40 "$(fleetcap analyze plain/web-1.pcap --dns -o json | jq '.dns | length')"
equal "a question says whose and where" '["web-1","web-1.pcap",1,"10.0.0.2",53,"A","NOERROR"]' \
    "$(fleetcap analyze plain/web-1.pcap --dns -o json | jq -c '.dns[0] | [.instance, .file, .frame, .server.address, .server.port, .type, .rcode]')"
equal "and every conversation" 41 "$(fleetcap analyze plain/web-1.pcap --conversations -o json | jq '.conversations | length')"

# ---- the files of one instance are one profile
identity="fleetcap capture dns-1 (00112233445566778899aabbccddeeff), instance web-7 (node-7), scale set web, region eu"
editcap -F pcapng -r plain/web-1.pcap first.pcapng 1-30
editcap -F pcapng -r plain/web-1.pcap second.pcapng 31-81
for part in first second; do
    editcap -F pcapng --capture-comment "$identity" $part.pcapng ng/own-$part.pcapng
done
equal "two segments are one instance" '["web-7",["own-first.pcapng","own-second.pcapng"],40]' \
    "$(fleetcap analyze ng/own-second.pcapng ng/own-first.pcapng -o json | jq -c '.profiles | map([.subject.instanceName, .subject.files, .counters.dnsQueries])[0]')"
mkdir halves # the question in one file, its answer in the next
editcap -F pcapng -r plain/web-1.pcap halves/1.pcapng 1-29
editcap -F pcapng -r plain/web-1.pcap halves/2.pcapng 30-81
for part in 1 2; do
    editcap -F pcapng --capture-comment "$identity" halves/$part.pcapng ng/half-$part.pcapng
done
equal "a conversation over two files names the first and the last, and how many more" '["half-1.pcapng","half-2.pcapng",1]' \
    "$(fleetcap analyze ng/half-?.pcapng --conversations -o json | jq -c '.conversations | map([.file, .lastFile, .moreFiles]) | map(select(.[2] == 1))[0]')"
that "the table says it too" grep -qF 'half-1.pcapng +1' <<<"$(fleetcap analyze ng/half-?.pcapng --conversations)"
that "of one file it goes without saying" grep -qvF FILE <<<"$(fleetcap analyze plain/web-1.pcap --conversations | grep OUTCOME)"

# ---- side by side
mkdir fleet fleet/eu fleet/us
for i in 1 2 3; do capture fleet/eu/web-$i.pcap 10.0.0.1$i 10.0.0.2 4$i; done
capture fleet/us/web-4.pcap 10.0.0.14 $STALE:unanswered 20 10.0.0.2 20
zstd -q --rm fleet/us/web-4.pcap
verdict fleet >said
that "the verdict names the instance" grep -q web-4 said
that "and the cause" grep -qF "$STALE" said
fleetcap compare fleet --html report.html >/dev/null
that "the page has the verdict" grep -qF "$STALE" report.html
equal "JSON has it too" "$(<said)" "$(fleetcap compare fleet -o json | jq -r .verdict)"
mkdir saved
for file in fleet/*/*; do
    name=$(basename "$file")
    fleetcap analyze "$file" --save-profile "saved/${name%%.*}.fcprofile" >/dev/null
done
equal "saved profiles give the same verdict" "$(<said)" "$(verdict saved)"
that "whom one suspects is compared with the healthy" grep -q web-4 <<<"$(verdict fleet --suspect web-4 --healthy 'web-[1-3]')"
that "a healthy one that is suspected is no outlier" grep -qv "^web-2" <<<"$(verdict fleet --suspect web-2 --healthy 'web-[1,3]')"
refused "a page that cannot be written" 3 'no/where.html' fleetcap compare fleet --html no/where.html
that "does not cost the answer" grep -qF "$(<said)" <(fleetcap compare fleet --html no/where.html 2>/dev/null || true)
fleetcap compare fleet --html whole.html >/dev/null
cp whole.html before.html
mkdir whole.html.tmp # nothing can be made beside it
refused "a page that cannot be replaced" 1 'whole.html.*the old one stays as it was' fleetcap compare fleet --html whole.html
that "stays as it was" cmp whole.html before.html
fleetcap compare fleet --suspect web-4 --healthy web-1 >said-of-two
that "whom nobody named is not compared" grep -qE '^ *web-\[2,3\]: not compared$' said-of-two
equal "in JSON too" '["web-2","web-3"]' "$(fleetcap compare fleet --suspect web-4 --healthy web-1 -o json | jq -c '[.instances[] | select(.standing == "not compared") | .name]')"
fleetcap compare fleet --suspect web-4 --healthy web-1 -o tsv 2>aside >/dev/null
that "and beside tab-separated findings" grep -q '^Note: web-\[2,3\] were not compared' aside
refused "a finding can be a failure" 1 'severity' fleetcap compare fleet --fail-on warning
mkdir everywhere
for i in 1 2 3 4; do capture everywhere/web-$i.pcap 10.0.0.1$i $STALE:unanswered 40 10.0.0.2 4; done
sed -i s/corp/corq/g everywhere/web-4.pcap # a mere note on one, beside what is worse on all
refused "one of the whole fleet, too" 1 'severity warning' fleetcap compare everywhere --fail-on warning
refused "a suspect that is not there" 3 'web-9.*web-\[1-4\]' fleetcap compare fleet --suspect web-9
refused "one that is healthy and suspect" 2 'web-4' fleetcap compare fleet --suspect web-4 --healthy 'web-*'
refused "labels of files" 2 'role=web' fleetcap compare fleet --suspect role=web
editcap -r plain/web-1.pcap near.pcap 1
cp near.pcap far.pcap
equal "one packet is told in the singular" "Between near and far no loss is proven: 1 packet from near to far and 0 back arrived." \
    "$(fleetcap path near.pcap far.pcap --lossless | head -n 1)"
that "one alone is allowed" grep -q web-4 <<<"$(verdict fleet/us)"

# ---- what is broken is named
: >empty.pcap
echo "not a capture at all" >words.txt
gzip -k plain/web-1.pcap
head -c 3000 plain/web-1.pcap >cut.pcap
cp plain/web-1.pcap lies.pcap
printf '\377\377\377\377' | dd of=lies.pcap bs=1 seek=$((24 + 8)) conv=notrunc status=none
mkdir nothing
refused "an empty file" 2 'empty.pcap.*empty' fleetcap analyze empty.pcap
refused "no capture" 2 'words.txt.*not a capture' fleetcap analyze words.txt
refused "gzip" 2 'gzip' fleetcap analyze plain/web-1.pcap.gz
refused "a file that is not there" 3 'missing.pcap' fleetcap analyze missing.pcap
refused "a directory without captures" 3 'nothing.*no capture' fleetcap analyze nothing
refused "neither a file nor a fleet" 3 'missing.*coordinator' fleetcap compare missing
chmod 600 plain/web-1.pcap
refused "a file of somebody else" 6 'web-1.pcap.*denied' setpriv --reuid=65534 --regid=65534 --clear-groups fleetcap analyze plain/web-1.pcap
refused "an address that is none" 2 '10.0.0.300' fleetcap analyze plain/web-1.pcap --local 10.0.0.300
refused "a profile of two" 2 'of 2 instances' fleetcap analyze plain/web-1.pcap fleet/us --save-profile x
refused "a length that lies" 4 'lies.pcap: byte 24' fleetcap analyze lies.pcap
refused "one of two" 4 'words.txt' fleetcap compare words.txt plain/web-1.pcap
that "a file that was cut says so" grep -q 'cut.pcap was cut off' <<<"$(fleetcap analyze cut.pcap)"
status=0
fleetcap analyze cut.pcap -o tsv >table 2>aside || status=$?
equal "tab-separated, the status is the same" 0 $status
that "and what was cut is said beside it" grep -q '^Note: cut.pcap was cut off' aside
that "not in it" grep -qv 'Note' table
fleetcap analyze cut.pcap -o tsv -q >table 2>aside
equal "nor when it shall be quiet" "" "$(<aside)"
refused "a length that lies, tab-separated" 4 'lies.pcap: byte 24' fleetcap analyze lies.pcap -o tsv
printf 'FCPROF1\nnonsense' >bad.fcprofile
refused "a saved profile that is none" 1 'bad.fcprofile' fleetcap analyze bad.fcprofile

# ---- who reads a file can do nothing else
mkfifo pipe
fleetcap analyze pipe plain/web-1.pcap >/dev/null 2>said &
program=$!
exec {writer}>pipe
within 60 "a process of its own reads the file" pgrep -P $program
worker=$(pgrep -P $program | head -n 1)
field() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$worker/status"; }
confined() { [[ $(field Seccomp) == 2 ]]; }
within 60 "it is behind a system call filter" confined
equal "it gains no privileges" 1 "$(field NoNewPrivs)"
that "it has the file, its pipe, and no more" test "$(find "/proc/$worker/fd" -type l | wc -l)" -le 3
kill -KILL "$worker"
status=0
wait $program || status=$?
exec {writer}>&-
equal "when it dies the rest goes on" 4 $status
that "and the file is named" grep -q 'pipe: .*killed by signal 9' said
