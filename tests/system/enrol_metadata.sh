#!/usr/bin/env bash
# A machine of a cloud enrols: id, name, zone and labels are the metadata service's, or what cloud-init has left; flags and
# the configuration go before them, and scale set and region are the token's whatever they say.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 0 --enrolment
for host in azure other; do
    fleet host "$host" >/dev/null
    mkdir "$TEST_DIR/$host"
    chmod 777 "$TEST_DIR/$host"
    printf '%s\n' "coordinator: \"$FLEETCAP_COORDINATOR\"" "state_dir: $TEST_DIR/$host/state" \
        "captures_dir: $TEST_DIR/$host/captures" "helper: $BUILD/bin/fleetcap-capture" >"$TEST_DIR/$host/node.yaml"
done
token_for web eu --uses 10 >"$TEST_DIR/token"
enrol() { on "$1" fleetcap-node enroll --config "$TEST_DIR/$1/node.yaml" --token-file "$TEST_DIR/token" "${@:2}"; } # host option...
identity() { cat "$TEST_DIR/$1/state/identity.yaml"; }
says() { identity "$1" | grep -qxF "$2"; } # host line

# ---- a metadata service, as picky as the real one

mkdir "$TEST_DIR/service"
cat >"$TEST_DIR/service/compute" <<'JSON'
{"compute": {"vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "name": "web_17", "zone": "2", "location": "westeurope",
 "vmScaleSetName": "databases", "tagsList": [{"name": "role", "value": "front"}, {"name": "Cost centre", "value": "4711"},
 {"name": "evil", "value": "a\u001b[2Jb"}]}}
JSON
cat >"$TEST_DIR/service/serve.py" <<'PYTHON'
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.headers.get("Metadata") == "true" and self.path == "/metadata/instance?api-version=2021-02-01"
        body = open(sys.argv[1], "rb").read() if good else b""
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("169.254.169.254", 80), Handler).serve_forever()
PYTHON
on azure ip address add 169.254.169.254/32 dev lo
on azure timeout 300 python3 "$TEST_DIR/service/serve.py" "$TEST_DIR/service/compute" >"$TEST_DIR/service/log" 2>&1 &
within 60 "there is a metadata service" on azure bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'

that "a machine of a cloud needs no flags" enrol azure --label tier=1 --label role=flag
id=02aab8a4-74ef-476e-8182-f6d2ba4166a6
equal "its id is the cloud's" "subject=L=eu,OU=web,CN=$id" "$(certificate_field "$TEST_DIR/azure/state/node.pem" -subject)"
for line in 'name: "web_17"' 'zone: "2"' '  "Cost-centre": "4711"' '  "tier": "1"' '  "role": "flag"' \
    'scale_set: "web"' 'region: "eu"'; do
    that "it keeps $line" says azure "$line"
done
that "a tag that is no plain text is no label" not grep -q evil "$TEST_DIR/azure/state/identity.yaml"
on azure timeout 150 fleetcap-node --config "$TEST_DIR/azure/node.yaml" >"$TEST_DIR/azure/log" 2>&1 &
within 60 "operators see it by that name" is web_17 instance_field "$id" .name
within 60 "with its labels" is 4711 instance_field "$id" '.labels["Cost-centre"]'
equal "in the scale set of the token, not of the cloud" web "$(instance_field "$id" .scaleSet)"

# ---- more tags than there is room for

fleet host many >/dev/null
mkdir "$TEST_DIR/many"
chmod 777 "$TEST_DIR/many"
sed "s,$TEST_DIR/azure,$TEST_DIR/many,g" "$TEST_DIR/azure/node.yaml" >"$TEST_DIR/many/node.yaml"
printf 'labels: {file-1: a, tag-1: file}\n' >>"$TEST_DIR/many/node.yaml"
jq -n '{compute: {vmId: "many-1", name: "many", tagsList: [range(64) | {name: "tag-\(.)", value: ""}]}}' >"$TEST_DIR/service/many"
on many ip address add 169.254.169.254/32 dev lo
on many timeout 300 python3 "$TEST_DIR/service/serve.py" "$TEST_DIR/service/many" >"$TEST_DIR/service/log" 2>&1 &
within 60 "there is a metadata service with many tags" on many bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'
said=$(enrol many --label flag-1=a --label tag-2=flag 2>&1) || no "a machine with many tags enrols: $said"
that "and is told how many are left out ($said)" grep -q '2 tags .* left out' <<<"$said"
on many timeout 150 fleetcap-node --config "$TEST_DIR/many/node.yaml" >"$TEST_DIR/many/log" 2>&1 &
within 60 "its daemon starts" is 64 instance_field many-1 '.labels | length'
equal "a tag may say nothing" '"" "file" "flag"' "$(instance_field many-1 '.labels | @json "\(.["tag-0"]) \(.["tag-1"]) \(.["tag-2"])"')"

# ---- cloud-init, and nothing

# In a mount namespace of its own: what cloud-init leaves is where it always is.
with_cloud_init() { # host option...
    mkdir -p "$TEST_DIR/$1/run/cloud-init"
    [[ ! -f $TEST_DIR/$1/data ]] || cp "$TEST_DIR/$1/data" "$TEST_DIR/$1/run/cloud-init/instance-data.json"
    on "$1" unshare --mount bash -c 'mount --bind "$1/run" /run && shift && exec "$@"' with "$TEST_DIR/$1" "$BUILD/bin/fleetcap-node" enroll \
        --config "$TEST_DIR/$1/node.yaml" --token-file "$TEST_DIR/token" "${@:2}"
}
status=0
said=$(enrol other --metadata azure 2>&1) || status=$?
equal "a named source has to answer ($said)" 5 "$status"
status=0
said=$(with_cloud_init other --metadata cloud-init 2>&1) || status=$?
equal "so has cloud-init ($said)" 3 "$status"
printf '{"v1": ' >"$TEST_DIR/other/data"
status=0
said=$(with_cloud_init other --metadata cloud-init 2>&1) || status=$?
equal "and say something that can be read ($said)" 2 "$status"
cat >"$TEST_DIR/other/data" <<'JSON'
{"v1": {"instance_id": "i-0123456789abcdef0", "local_hostname": "ip-10-0-0-7", "availability_zone": "eu-west-1b", "region": "x"}}
JSON
that "what cloud-init has left is used where there is no service" with_cloud_init other --name front
equal "the id is cloud-init's" "subject=L=eu,OU=web,CN=i-0123456789abcdef0" \
    "$(certificate_field "$TEST_DIR/other/state/node.pem" -subject)"
that "the zone too" says other 'zone: "eu-west-1b"'
that "a flag goes before it" says other 'name: "front"'
