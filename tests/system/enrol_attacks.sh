#!/usr/bin/env bash
# Who has no right to a certificate, or to another one than it gets: tokens and requests that lie, strangers, replays.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 1 --enrolment
readonly REFUSED='PERMISSION_DENIED|FAILED_PRECONDITION|RESOURCE_EXHAUSTED|UNAUTHENTICATED'
anonymous=(--server-name enrol.fleetcap.invalid)
peer - "${anonymous[@]}" stay 45 >"$TEST_DIR/silent" &
peer - "${anonymous[@]}" stay 45 /fleetcap.v1.EnrolService/Enrol >"$TEST_DIR/stay" &
within 60 "strangers may connect" eval 'grep -q connected "$TEST_DIR/silent" && grep -q connected "$TEST_DIR/stay"'

# ---- tokens
for name in ada bob cyd; do key_and_csr $name "/CN=$name"; done
once=$(token_for web eu)
equal "a token for one" "ISSUED web eu" "$(ask "$once" ada "$TEST_DIR/ada.csr" certificate="$TEST_DIR/ada.crt")"
turned_down "lets no second one in" "$REFUSED" 'use' "$once" bob "$TEST_DIR/bob.csr"
equal "the first one asks again with the same key: the same enrolment" "ISSUED web eu" \
    "$(ask "$once" ada "$TEST_DIR/ada.csr" certificate="$TEST_DIR/ada.again")"
that "and the same certificate, byte for byte" cmp "$TEST_DIR/ada.crt" "$TEST_DIR/ada.again"
equal "which uses nothing" "used up 1" "$(token_field "$once" '"\(.state) \(.used)"')"
cp "$TEST_DIR/bob.key" "$TEST_DIR/thief.key"
key_and_csr thief /CN=ada
turned_down "somebody else who replays it with a key of his own gets nothing" "$REFUSED|ALREADY_EXISTS" '' "$once" ada "$TEST_DIR/thief.csr"

brief=$(token_for web eu --ttl 1s)
many=$(token_for web eu --uses 100)
turned_down "an instance that is in is not taken over with a token that is good" ALREADY_EXISTS 'ada' "$many" ada "$TEST_DIR/thief.csr"
key_and_csr web-1 /CN=web-1
turned_down "nor is one that never enrolled, but has been connected" ALREADY_EXISTS 'web-1' "$many" web-1 "$TEST_DIR/web-1.csr"
sleep 1.2
turned_down "a token that has expired" "$REFUSED" 'expired' "$brief" bob "$TEST_DIR/bob.csr"
gone=$(token_for web eu)
fleetcap token revoke "$(token_id "$gone")" >/dev/null
turned_down "a token that was revoked" "$REFUSED" 'revoked' "$gone" bob "$TEST_DIR/bob.csr"
turned_down "a machine that wants into another scale set" "$REFUSED|INVALID_ARGUMENT" 'db' "$many" bob "$TEST_DIR/bob.csr" scale_set=db
turned_down "or another region" "$REFUSED|INVALID_ARGUMENT" 'us' "$many" bob "$TEST_DIR/bob.csr" region=us
unknown=$(ask "$many" bob "$TEST_DIR/bob.csr" token_id=0123456789abcdef)
wrong=$(ask "$many" bob "$TEST_DIR/bob.csr" secret="$(printf '00%.0s' {1..32})")
equal "an id that does not exist and a secret that is wrong sound the same" "${unknown//0123456789abcdef/ID}" "${wrong//$(token_id "$many")/ID}"
that "and let nobody in" grep -qE "^($REFUSED) " <<<"$wrong"
for secret in '' 00 "$(printf '00%.0s' {1..33})" "$(printf '00%.0s' {1..1000})"; do
    turned_down "a secret of $((${#secret} / 2)) bytes" "$REFUSED|INVALID_ARGUMENT" '' "$many" bob "$TEST_DIR/bob.csr" secret="$secret"
done

# ---- signing requests
turned_down "a request for another name" INVALID_ARGUMENT 'CN|subject|name' "$many" bob "$TEST_DIR/cyd.csr"
key_and_csr admin /CN=bob/OU=db
turned_down "a request that names a scale set" INVALID_ARGUMENT 'subject' "$many" bob "$TEST_DIR/admin.csr"
for kind in 'RSA -pkeyopt rsa_keygen_bits:2048' 'EC -pkeyopt ec_paramgen_curve:P-384' ED25519 'EC -pkeyopt ec_paramgen_curve:secp256k1'; do
    # shellcheck disable=SC2086 # options
    openssl genpkey -algorithm $kind -out "$TEST_DIR/odd.key" 2>/dev/null
    key_and_csr odd /CN=bob
    turned_down "a key that is ${kind%% *} ${kind##*:}" INVALID_ARGUMENT 'key|request|P-256' "$many" bob "$TEST_DIR/odd.csr"
done
fleet_name=$(sed -n 's/^id=/fleet-/p' "$FLEET_DIR/fleet.conf")
for extension in "subjectAltName=URI:spiffe://$fleet_name/operator/bob" "subjectAltName=DNS:coordinator.$fleet_name" \
    'basicConstraints=critical,CA:TRUE' 'extendedKeyUsage=serverAuth'; do
    key_and_csr bob /CN=bob -addext "$extension"
    turned_down "a request with $extension" INVALID_ARGUMENT '' "$many" bob "$TEST_DIR/bob.csr"
done
key_and_csr bob /CN=bob
openssl req -in "$TEST_DIR/bob.csr" -outform DER -out "$TEST_DIR/bob.der"
printf overwritten | dd of="$TEST_DIR/bob.der" bs=1 seek=$(($(stat -c %s "$TEST_DIR/bob.der") - 12)) conv=notrunc status=none
{ echo '-----BEGIN CERTIFICATE REQUEST-----' && base64 -w 64 "$TEST_DIR/bob.der" && echo '-----END CERTIFICATE REQUEST-----'; } >"$TEST_DIR/forged.csr"
turned_down "a request that its key has not signed" INVALID_ARGUMENT '' "$many" bob "$TEST_DIR/forged.csr"
for what in empty noise certificate long two; do
    case $what in
    empty) : ;;
    noise) head -c 500 /dev/urandom ;;
    certificate) cat "$FLEET_DIR/pki/operator-admin.crt" ;;
    long) cat "$TEST_DIR/bob.csr" <(printf '\n%.0s' {1..2500}) ;;
    two) cat "$TEST_DIR/cyd.csr" "$TEST_DIR/bob.csr" ;;
    esac >"$TEST_DIR/odd.csr"
    turned_down "in place of a request: $what" INVALID_ARGUMENT '' "$many" bob "$TEST_DIR/odd.csr"
done
for id in '' .. ../web-2 'a b' "$(printf 'x%.0s' {1..64})" '.hidden'; do
    turned_down "an instance called \"${id:0:12}\"" INVALID_ARGUMENT '' "$many" "$id" "$TEST_DIR/bob.csr"
done
equal "none of all that used the token" "valid 0" "$(token_field "$many" '"\(.state) \(.used)"')"
equal "with an honest request it is good" "ISSUED web eu" "$(ask "$many" bob "$TEST_DIR/bob.csr" certificate="$TEST_DIR/bob.crt")"
that "and what is issued says the token's scale set and region, and no wish" \
    grep -qx 'subject=L=eu,OU=web,CN=bob' <(certificate_field "$TEST_DIR/bob.crt" -subject)
equal "for one principal" 1 "$(certificate_field "$TEST_DIR/bob.crt" -ext subjectAltName | grep -o 'URI:[^,]*' | wc -l)"

# ---- strangers
while read -r method code; do
    case $method in
    EnrolService/Enrol) want='INVALID_ARGUMENT|PERMISSION_DENIED' ;;
    NoSuch*) want='UNIMPLEMENTED|PERMISSION_DENIED' ;;
    *) want=PERMISSION_DENIED ;;
    esac
    [[ $code =~ ^($want)$ ]] || no "$method as a stranger: $code"
done < <(peer - "${anonymous[@]}" methods)
echo "ok: a stranger may call nothing but Enrol"
equal "an operator who comes in by the strangers' door is a stranger" PERMISSION_DENIED \
    "$(peer operator-admin "${anonymous[@]}" call /fleetcap.v1.FleetService/GetFleet | cut -d ' ' -f 1)"
that "a stranger who asks for another name is asked for a certificate" \
    grep -qE '^(refused|closed)' <(peer - --server-name other.fleetcap.invalid call /fleetcap.v1.EnrolService/Enrol 2>&1 || true)
that "a stranger's frame of more than 4 KiB ends the connection" grep -qE '^closed after [0-9]\.' <(peer - "${anonymous[@]}" length 00001001)

# ---- renewal
cp "$TEST_DIR/bob.crt" "$TEST_DIR/node-bob.crt" && cp "$TEST_DIR/bob.key" "$TEST_DIR/node-bob.key"
equal "a node renews its own certificate, in its scale set and region" "ISSUED web eu" "$(peer node-bob renew "$TEST_DIR/bob.csr")"
said=$(peer node-bob renew "$TEST_DIR/cyd.csr") || true
that "but gets none in another's name: $said" grep -q '^INVALID_ARGUMENT' <<<"$said"
peer node-bob hello bob 50 >"$TEST_DIR/bob" &
within 60 "it is connected" grep -q '^OK' "$TEST_DIR/bob"
that "it is removed" fleetcap instance remove bob --yes
within 10 "and cut off" grep -q '^closed after' "$TEST_DIR/bob"
said=$(peer node-bob renew "$TEST_DIR/bob.csr" 2>&1) || true
that "with its revoked certificate it renews nothing: $said" grep -qE '^(refused|closed)' <<<"$said"
turned_down "nor is its old enrolment worth anything" "$REFUSED|ALREADY_EXISTS" '' "$many" bob "$TEST_DIR/bob.csr"
for why in 'used up' 'another key' expired revoked "not for 'db'" 'not known here' 'P-256' extensions 'not a name'; do
    within 60 "the audit log has the attempt: $why" audited "^enrol.anonymous/anonymous.*$why"
done
within 60 "a stranger who says nothing is hung up on: $(tail -n 1 "$TEST_DIR/silent")" grep -qE '^closed after (|1)[0-9]\.' "$TEST_DIR/silent"
within 60 "and one who has called is after 30 s" grep -qE '^closed after (2[0-9]|3[0-9])\.' "$TEST_DIR/stay"
