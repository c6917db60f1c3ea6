#!/usr/bin/env bash
# Wrong input to every command gets one clear sentence and the right exit status.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2 --max-running-per-region 2
create=(fleetcap capture create --scale-set web)

that "a capture" "${create[@]}" -n taken --time-limit 5m
refused "a name that is taken" 7 'taken' "${create[@]}" -n taken
refused "no name" 2 'name' "${create[@]}"
refused "an unknown instance" 3 'web-77' fleetcap capture create -n x --include web-77
refused "no instance matched" 3 'no instance|match' fleetcap capture create -n x --scale-set nothing
refused "no instance in that region" 3 "region 'mars'" "${create[@]}" -n x --region mars
refused "a bad selector" 2 'selector' "${create[@]}" -n x --selector 'role in web'
refused "a bad size" 2 '12parsecs' "${create[@]}" -n x --capture-limit 12parsecs
refused "a bad time" 2 'soon' "${create[@]}" -n x --time-limit soon
refused "too long a time" 2 'time' "${create[@]}" -n x --time-limit 30d
refused "a bad packet limit" 2 'many' "${create[@]}" -n x --packet-limit many
refused "a bad ring" 2 'ring' "${create[@]}" -n x --ring 10
refused "a port that is none" 2 '70000' "${create[@]}" -n x --filters '[{"remotePort":"70000"}]'
refused "a reversed range" 2 '90-80' "${create[@]}" -n x --filters '[{"remotePort":"90-80"}]'
refused "three octets" 2 'four octets' "${create[@]}" -n x --filters '[{"remoteIPAddress":"1.1.1.1-255.255.255"}]'
refused "a star" 2 '\*' "${create[@]}" -n x --filters '[{"localPort":"*"}]'
refused "an unknown key" 2 'remoteprt' "${create[@]}" -n x --filters '[{"remoteprt":"80"}]'
refused "filters that are no JSON" 2 'JSON|json' "${create[@]}" -n x --filters '[{'
refused "a bad expression" 2 'nonsense' "${create[@]}" -n x --raw-filter 'nonsense and'
refused "a definition that is not there" '3' 'missing.yaml' fleetcap capture create -f "$TEST_DIR/missing.yaml"
echo 'name: [' >"$TEST_DIR/bad.yaml"
refused "a definition that is no YAML" 2 'bad.yaml' fleetcap capture create -f "$TEST_DIR/bad.yaml"
refused "an interface that nobody has" 4 'wlan7|interface' "${create[@]}" -n nointerface --interface wlan7
that "a second capture" "${create[@]}" -n second --time-limit 5m
refused "more than the region may run" 7 'region' "${create[@]}" -n third --time-limit 5m

for verb in show wait watch files download; do
    refused "$verb of an unknown capture" 3 'unheard' fleetcap capture $verb unheard
    refused "$verb without a name" 2 'name|NAME' fleetcap capture $verb
done
refused "stop of an unknown capture" 3 'unheard' fleetcap capture stop unheard
refused "stop of nothing" 2 'name|NAME|all' fleetcap capture stop
refused "delete of an unknown capture" 3 'unheard' fleetcap capture delete unheard --yes
refused "delete of a capture that runs" 7 'stop|run' fleetcap capture delete taken --yes
refused "delete without a yes" 2 'yes' fleetcap capture delete taken
refused "wait for what will not come" 5 'time' fleetcap capture wait taken --timeout 1s
refused "an unknown instance to show" 3 'web-77' fleetcap instance show web-77
refused "an unknown option" 2 'colour' fleetcap instance list --colour
refused "an unknown command" 2 'captur' fleetcap captur list
refused "an unknown output" 2 'xml' fleetcap instance list -o xml
refused "no certificate file" 1 'nothere.crt' fleetcap instance list --cert "$TEST_DIR/nothere.crt"
cp "$FLEETCAP_KEY" "$TEST_DIR/open.key" && chmod 644 "$TEST_DIR/open.key"
refused "a key that all can read" 6 'open.key' fleetcap instance list --key "$TEST_DIR/open.key"
echo rubbish >"$TEST_DIR/rubbish.crt"
refused "a certificate that is none" 1 'rubbish.crt' fleetcap instance list --cert "$TEST_DIR/rubbish.crt"
refused "an address that is none" 2 'nowhere' fleetcap instance list --coordinator nowhere
refused "a context without a port" 2 '"fc.example" is not HOST:PORT' fleetcap context set x --coordinator fc.example
refused "a name for somebody whom nobody dials" 2 '"fc.example" is where a coordinator is reached' \
    fleetcap pki issue operator x --dns fc.example --dir "$FLEET_DIR/pki"
echo >"$TEST_DIR/one.pcap"
refused "one end of a path" 2 'one.pcap" is one file' fleetcap path "$TEST_DIR/one.pcap"
refused "a second CA in the same place" 7 'ca.crt|already|CA' fleetcap pki init --fleet x --dir "$FLEET_DIR/pki"
refused "an unknown role" 2 'king' fleetcap pki issue king x --dir "$FLEET_DIR/pki"
refused "no PKI" 3 'nopki' fleetcap pki issue node x --dir "$TEST_DIR/nopki"
refused "nothing to revoke" 3 'node/web-77' fleetcap pki revoke node/web-77 --dir "$FLEET_DIR/pki"

# Configuration files with one thing changed: a member's, through sed.
changed() { # member expression
    local file
    file=$(mktemp "$TEST_DIR/changed.XXXXXX")
    sed "$2" "$FLEET_DIR/members/$1/config.yaml" >"$file"
    printf '%s' "$file"
}
node() { refused "$1" "$2" "$3" fleetcap-node --check --config "$(changed web-1 "$4")"; }                     # sentence status pattern expression
coordinator() { refused "$1" "$2" "$3" fleetcap-coordinator --check --config "$(changed coordinator "$4")"; } # likewise
that "a node's configuration that is in order" fleetcap-node --check --config "$(changed web-1 '')"
that "and a coordinator's" fleetcap-coordinator --check --config "$(changed coordinator '')"
node "a key that is misspelt" 2 "unknown key 'regoin'" 's/^region:/regoin:/'
node "an address without a port" 2 "'fc.example' is not host:port" 's/^coordinator:.*/coordinator: fc.example/'
node "too small a ring" 2 "'1' is not between 1.0 MiB and 4.0 GiB" '$a ring_bytes: 1'
node "an interface that is none" 2 "item 1, 'a/b', is no interface's name" '$a interfaces: [a/b]'
node "no interface at all" 2 'interfaces: the list is empty' '$a interfaces: []'
node "a user who is not there" 3 'there is no user nosuch here' 's/^user:.*/user: nosuch/'
node "a helper that is not there" 3 'the capture helper /nonexistent cannot be executed' 's|^helper:.*|helper: /nonexistent|'
node "a certificate that is not there" 3 'cannot open /nonexistent.crt' 's|^certificate:.*|certificate: /nonexistent.crt|'
node "a key that all can read" 6 'open.key has mode 0644' "s|^key:.*|key: $TEST_DIR/open.key|"
coordinator "a key that stands twice" 2 'the same key stands twice' '$a log_level: info\nlog_level: info'
coordinator "a port that is none" 2 "'0.0.0.0:77443' is not ADDRESS:PORT" 's/^listen:.*/listen: 0.0.0.0:77443/'
coordinator "certificates for too long" 2 "'91d' is not between 10s and 90d" '$a certificate_life: 91d'
coordinator "a heartbeat that is too rare" 2 'heartbeat: 10m is not shorter than the lease of 5m' '$a heartbeat: 10m\nlease: 5m'
coordinator "an operator's certificate" 6 'operator/admin may not be the server' \
    "s|^certificate:.*|certificate: $FLEETCAP_CERT|; s|^key:.*|key: $FLEETCAP_KEY|"

that "stop on one instance" fleetcap capture stop --instance web-2
fleet kill web-2
fleet exec web-2 -- fleetcap-node --config "$(changed web-2 's|^helper:.*|helper: /nonexistent|')" 2>"$TEST_DIR/helpless" &
helpless=$!
within 30 "a daemon without its helper says so when it starts" \
    grep -q 'no capture can begin: the capture helper /nonexistent cannot be executed' "$TEST_DIR/helpless"
kill $helpless

that "stop all" fleetcap capture stop --all
fleet kill coordinator
refused "the coordinator is down" 5 "$FLEETCAP_COORDINATOR" fleetcap instance list
refused "and for a change as well" 5 "$FLEETCAP_COORDINATOR" "${create[@]}" -n x
