#!/usr/bin/env bash
# kill -9 a node daemon with its monitor and helpers: the file is repaired, the gap reported, the capture resumed; or
# sealed, when the window has closed meanwhile.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2
that "a capture" fleetcap capture create -n long --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
that "a capture with a short window" fleetcap capture create -n short --scale-set web \
    --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 4s
send web-1 200
within 30 "they are counted" is 200 written long web-1
# Not before the flush interval: what is on disk may be cut to the last flush.
within 30 "and on the disk" is 200 eval 'tshark -n -r "$(parts_of web-1 | grep /long-)" | wc -l'
fleet kill web-1 -9 --all
that "an unfinished file is left" test -n "$(parts_of web-1)"
sleep 4
fleet start web-1
within 60 "the long one is resumed" resumed long web-1 1
within 60 "no unfinished file but the new one is left" is 1 eval 'parts_of web-1 | wc -l'
equal "the gap is reported" 1 "$(of long web-1 '.gaps | length')"
within 30 "the short one is sealed" is STOPPED state short web-1
send web-1 30
within 30 "it goes on counting" is 230 written long web-1
that "stop" fleetcap capture stop long
that "every packet is accounted for" accounted long
that "download gets all segments" fleetcap capture download long --dir "$TEST_DIR/got"
mapfile -t files < <(find "$TEST_DIR/got" -name 'web-1_*.pcapng' | sort)
equal "there are two segments" 2 "${#files[@]}"
equal "and together they have every packet" 230 "$(packets_of "${files[@]}")"
equal "the first is marked as repaired" true "$(of long web-1 '.segments[0].repaired')"
