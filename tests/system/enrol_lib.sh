# enrol_lib.sh: what the tests of enrolment share; sources lib.sh.
# shellcheck shell=bash source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly MEMBERS=$FLEET_DIR/members
export MEMBERS

# A token: scale set, region, further options of `token create`.
token_for() { fleetcap token create --scale-set "$1" --region "$2" "${@:3}"; }
token_id() { cut -d . -f 2 <<<"$1"; }
token_field() { fleetcap token list --all -o json | jq -r --arg id "$(token_id "$1")" ".[] | select(.id == \$id) | $2"; } # token jq
enrolment_field() { fleetcap enrolment list --all -o json | jq -r --arg i "$1" "[.[] | select(.instanceId == \$i)][0] | $2"; } # instance jq

instance_field() { fleetcap instance show "$1" -o json | jq -r "$2"; } # instance jq
online() { is true instance_field "$1" .online; }
listed() { fleetcap instance list -o json | jq -e --arg i "$1" 'any(.[]; .id == $i)' >/dev/null; }
not() { ! "$@"; }

# What the audit log has, oldest first: ACTION|PRINCIPAL|OBJECT|OUTCOME|DETAIL.
audit() {
    sqlite3 -readonly "$MEMBERS/coordinator/state/fleetcap.db" \
        "SELECT action || '|' || principal || '|' || object || '|' || outcome || '|' || detail FROM audit ORDER BY seq"
}
audited() { audit | grep -iE -- "$1" >/dev/null; } # extended regular expression

# Connections of a namespace to the coordinator.
connections() { on "$1" ss -Htn state established "dport = :7443" | wc -l; }

certificate_field() { # file option of openssl x509: what openssl says of the first certificate in it
    openssl x509 -in "$1" -noout "${@:2}" -nameopt RFC2253
}
serial_of() { openssl x509 -in "$1" -noout -serial | sed 's/^serial=//'; }
revoked_serials() { openssl crl -in "$MEMBERS/coordinator/state/crl.pem" -noout -text | sed -n 's/^ *Serial Number: //p'; }
is_revoked() { revoked_serials | grep -ix -- "$1" >/dev/null; } # serial

# ---- a machine made by hand: openssl makes key and request, peer.py asks

key_and_csr() { # stem subject [openssl req options]: $TEST_DIR/STEM.key and .csr
    [[ -f $TEST_DIR/$1.key ]] || openssl ecparam -name prime256v1 -genkey -noout -out "$TEST_DIR/$1.key"
    openssl req -new -sha256 -key "$TEST_DIR/$1.key" -subj "$2" -out "$TEST_DIR/$1.csr" "${@:3}" 2>"$TEST_DIR/openssl" ||
        no "openssl made no request for $2: $(cat "$TEST_DIR/openssl")"
}
ask() { peer - enrol "$@"; } # TOKEN ID CSR [KEY=VALUE]...

# ask with a request that must be refused: sentence, code, pattern, then the words of ask.
turned_down() {
    local said
    said=$(ask "${@:4}") || no "$1: $said"
    [[ $said =~ ^($2)\  ]] || no "$1: \"$said\" is not $2"
    [[ ${said#* } =~ $3 ]] || no "$1: \"$said\" does not say \"$3\""
    echo "ok: $1: $said"
}
