#!/usr/bin/env bash
# Who may connect, and what a peer may be: no certificate, another CA, expired, revoked, the wrong role, another's id.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2
pki=$FLEET_DIR/pki
get_fleet=/fleetcap.v1.FleetService/GetFleet
turned_away() { # sentence credentials
    local said=''
    said=$(peer "$2" call $get_fleet 2>&1) && no "$1: $said"
    [[ $said =~ ^(refused|closed) ]] || no "$1: \"$said\" is no refusal"
    echo "ok: $1: $said"
}

# A leaf like those of `pki issue`, but with the dates, names and key usage that we like; signed by the fleet's CA.
forge() { # file-stem uri not-after-offset usage
    openssl ecparam -name prime256v1 -genkey -noout -out "$TEST_DIR/$1.key" 2>/dev/null
    openssl req -new -key "$TEST_DIR/$1.key" -subj "/CN=$1" -out "$TEST_DIR/$1.csr" 2>/dev/null
    printf 'subjectAltName=URI:%s\nextendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n' \
        "$2" "$4" >"$TEST_DIR/$1.ext"
    : >"$TEST_DIR/index" && openssl rand -hex 8 >"$TEST_DIR/serial"
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' \
        "$TEST_DIR/index" "$TEST_DIR/serial" "$TEST_DIR" >"$TEST_DIR/ca.conf"
    openssl ca -batch -config "$TEST_DIR/ca.conf" -cert "$pki/ca.crt" -keyfile "$pki/ca.key" -in "$TEST_DIR/$1.csr" \
        -startdate "$(date -u -d '3 days ago' +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "$3" +%Y%m%d%H%M%SZ)" \
        -extfile "$TEST_DIR/$1.ext" -notext -out "$TEST_DIR/$1.crt" 2>"$TEST_DIR/forge.log" ||
        no "forging a certificate: $(cat "$TEST_DIR/forge.log")"
}
fleet_name=$(openssl x509 -in "$pki/operator-admin.crt" -noout -ext subjectAltName | sed -n 's#.*spiffe://\([^/]*\)/.*#\1#p')

equal "an operator is served" OK "$(peer operator-admin call $get_fleet | cut -d ' ' -f 1)"
forge operator-sound "spiffe://$fleet_name/operator/sound" tomorrow clientAuth
equal "so is one whose certificate we made by hand" OK "$(peer operator-sound call $get_fleet | cut -d ' ' -f 1)"
turned_away "no certificate" -
mkdir "$TEST_DIR/other"
fleetcap pki init --fleet "$fleet_name" --dir "$TEST_DIR/other" >/dev/null
fleetcap pki issue operator stranger --dir "$TEST_DIR/other" >/dev/null
turned_away "a certificate of another CA with the same fleet name" operator-stranger
forge operator-late "spiffe://$fleet_name/operator/late" yesterday clientAuth
turned_away "an expired certificate" operator-late
forge operator-elsewhere "spiffe://another-fleet/operator/elsewhere" tomorrow clientAuth
turned_away "a certificate of our CA for another fleet" operator-elsewhere
forge operator-server "spiffe://$fleet_name/operator/server" tomorrow serverAuth
turned_away "a certificate that is for servers" operator-server
forge operator-nobody "https://example.org/operator" tomorrow clientAuth
turned_away "a certificate without a principal" operator-nobody
forge operator-deep "spiffe://$fleet_name/operator/../coordinator/main" tomorrow clientAuth
turned_away "a certificate whose name is a path" operator-deep

equal "a node may not play operator" PERMISSION_DENIED "$(peer node-web-1 call $get_fleet | cut -d ' ' -f 1)"
equal "a node may not claim another's id" PERMISSION_DENIED "$(peer node-web-1 hello web-2 | head -n 1 | cut -d ' ' -f 1)"
within 30 "and web-2 is still itself" is true eval 'fleetcap instance show web-2 -o json | jq .online'

# Every method as every role: what a role may call is never denied, what it may not call always is.
declare -A may=([operator]='^(CaptureService|FleetService|AdmissionService)/' [node]='^(CoordinatorService/|EnrolService/Renew)' [coordinator]='^$')
fleetcap pki issue node web-9 --dir "$pki" >/dev/null
for role in operator node; do
    name=$role-admin
    [[ $role == operator ]] || name=node-web-9
    while read -r method code; do
        if [[ $method =~ ^NoSuch ]]; then want='UNIMPLEMENTED|PERMISSION_DENIED'
        elif [[ $method =~ ${may[$role]} ]]; then want='OK|INVALID_ARGUMENT|NOT_FOUND|FAILED_PRECONDITION'
        else want='PERMISSION_DENIED'; fi
        [[ $code =~ ^($want)$ ]] || no "$method as $role: $code, not $want"
        echo "ok: $method as $role: $code"
    done < <(peer "$name" methods)
done
turned_away "a coordinator's certificate opens no connection to a coordinator" coordinator-main
