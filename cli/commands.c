/* The two tables of command.h. */
#include "cli/command.h"
#include "cli/run.h"

#include "common/base/mem.h"

// clang-format off
const cli_option cli_options[CLI_OPTION_COUNT] = {
    /* every command */
    [CLI_HELP] = {"help", 'h', NULL, false, "show this help"},
    [CLI_OUTPUT] = {"output", 'o', "table|json|tsv", false, "how to print the result (default table)"},
    [CLI_QUIET] = {"quiet", 'q', NULL, false, "no notes and no progress on standard error"},
    [CLI_COLOR] = {"color", 0, "auto|always|never", false,
                   "colour; auto is on for a terminal without NO_COLOR (default auto)"},
    /* every command that connects */
    [CLI_CONTEXT] = {"context", 0, "NAME", false, "which context of the configuration to use"},
    [CLI_COORDINATOR] = {"coordinator", 0, "HOST:PORT", false, "the coordinator's address"},
    [CLI_CA] = {"ca", 0, "FILE", false, "the fleet's CA certificate (PEM)"},
    [CLI_CERT] = {"cert", 0, "FILE", false, "your operator certificate (PEM)"},
    [CLI_KEY] = {"key", 0, "FILE", false, "its private key (PEM)"},
    [CLI_SERVER_NAME] = {"server-name", 0, "NAME", false,
                         "the name in the coordinator's certificate (default: the host of its address, when that is a name)"},
    [CLI_TIMEOUT] = {"timeout", 0, "TIME", false, "how long to wait: seconds, or 90s, 15m, 5h"},
    /* definition */
    [CLI_NAME] = {"name", 'n', "NAME", false, "the capture's name"},
    [CLI_FILE] = {"file", 'f', "FILE", false, "read the definition from a YAML or JSON file (- = standard input)"},
    [CLI_SCALE_SET] = {"scale-set", 0, "NAME", false, "only instances of this scale set"},
    [CLI_REGION] = {"region", 0, "NAME[,NAME…]", true, "only instances in these regions"},
    [CLI_ZONE] = {"zone", 0, "NAME[,NAME…]", true, "only instances in these zones"},
    [CLI_INCLUDE] = {"include", 0, "INSTANCE[,…]", true, "only these instances (ids or names)"},
    [CLI_EXCLUDE] = {"exclude", 0, "INSTANCE[,…]", true, "not these instances (ids or names)"},
    [CLI_SELECTOR] = {"selector", 'l', "SELECTOR", false, "only instances with these labels: role=web,env!=test"},
    [CLI_FILTER] = {"filter", 0, "KEY=VALUE,…", true,
                    "a five-tuple filter: protocol, localIPAddress, localPort, remoteIPAddress, remotePort"},
    [CLI_FILTERS] = {"filters", 0, "JSON|@FILE", false, "the filters as a JSON list, or read from FILE (@- = standard input)"},
    [CLI_RAW_FILTER] = {"raw-filter", 0, "EXPRESSION", false, "a pcap-filter(7) expression, ANDed with the filters"},
    [CLI_CAPTURE_SIZE] = {"capture-size", 0, "SIZE", false, "bytes kept of each packet; 0 = all (default 0)"},
    [CLI_BYTES_PER_PACKET] = {"bytes-per-packet", 0, "SIZE", false, "another name of --capture-size"},
    [CLI_CAPTURE_LIMIT] = {"capture-limit", 0, "SIZE", false,
                           "stop an instance after this many captured bytes; 0 = no limit (default 1GiB; with --ring no limit)"},
    [CLI_TIME_LIMIT] = {"time-limit", 0, "TIME", false, "how long to capture (default 18000 seconds; with --ring 86400)"},
    [CLI_PACKET_LIMIT] = {"packet-limit", 0, "COUNT", false, "stop an instance after this many packets"},
    [CLI_RING] = {"ring", 0, "FILES:SIZE", false, "keep the newest FILES files of SIZE bytes on each instance: 10:100MiB"},
    [CLI_INTERFACE] = {"interface", 0, "NAME[,NAME…]", true, "capture on these interfaces (default: all that are up and have an address, but loopback)"},
    [CLI_INCLUDE_OWN_TRAFFIC] = {"include-own-traffic", 0, NULL, false, "capture fleetcap's own connections as well"},
    [CLI_REASON] = {"reason", 0, "TEXT", false, "why this is captured"},
    [CLI_OWNER] = {"owner", 0, "TEXT", false, "who answers for it"},
    [CLI_INCIDENT] = {"incident", 0, "ID", false, "the incident it belongs to"},
    [CLI_DELETE_AFTER] = {"delete-after", 0, "DATE|TIME", false, "when the evidence may go: 2026-12-31, or 30d from now"},
    [CLI_TAG] = {"tag", 0, "KEY=VALUE", true, "a tag of the capture"},
    [CLI_DRY_RUN] = {"dry-run", 0, NULL, false, "show instances, compiled filter and limits; start nothing"},
    [CLI_NO_WAIT] = {"no-wait", 0, NULL, false, "return as soon as the coordinator has accepted it"},
    [CLI_YES] = {"yes", 'y', NULL, false, "do not ask for confirmation"},
    /* captures */
    [CLI_ACTIVE] = {"active", 0, NULL, false, "only captures that have not finished"},
    [CLI_ALL] = {"all", 0, NULL, false, "every capture of the fleet"},
    [CLI_INSTANCE] = {"instance", 0, "INSTANCE[,…]", true, "only on these instances (ids or names)"},
    [CLI_STOP] = {"stop", 0, NULL, false, "stop it first when it still runs"},
    [CLI_DELETE_FILES] = {"delete-files", 0, NULL, false, "delete the captured files on the instances too"},
    [CLI_FOR] = {"for", 0, "running|stopped", false, "what to wait for (default stopped)"},
    [CLI_DOWNLOAD_DIR] = {"dir", 'd', "DIR", false, "where the files go (default: the capture's name)"},
    [CLI_PARALLEL] = {"parallel", 0, "COUNT", false, "files on their way at once, 1 to 64 (default 8)"},
    /* analyze, compare */
    [CLI_CONVERSATIONS] = {"conversations", 0, NULL, false, "list every conversation"},
    [CLI_QUESTIONS] = {"dns", 0, NULL, false, "list every DNS question"},
    [CLI_LOCAL] = {"local", 0, "ADDRESS[,…]", true,
                   "addresses of the instance, where the files do not say what is local"},
    [CLI_SAVE_PROFILE] = {"save-profile", 0, "FILE", false, "keep the profile: some ten KiB that stand for the capture later"},
    [CLI_HEALTHY] = {"healthy", 0, "LIST|SELECTOR", true,
                     "instances that are well: names, web-[1-3], web-*, or labels like role=web"},
    [CLI_SUSPECT] = {"suspect", 0, "LIST|SELECTOR", true, "instances that are not, said in the same way"},
    [CLI_HTML] = {"html", 0, "FILE", false, "write the whole comparison as one self-contained page"},
    [CLI_EVERYTHING] = {"all", 0, NULL, false, "also what is only information: milder findings and metrics, conversations of one end"},
    [CLI_FAIL_ON] = {"fail-on", 0, "warning|error", false, "exit status 1 when there is a finding that bad (default: never)"},
    /* path */
    [CLI_FROM] = {"from", 0, "INSTANCE", false, "the instance at the near end"},
    [CLI_TO] = {"to", 0, "INSTANCE", false, "the instance at the far end"},
    [CLI_KEEP_DIR] = {"dir", 'd', "DIR", false, "keep the files that are fetched there (default: they are removed)"},
    [CLI_LOSSLESS] = {"lossless", 0, NULL, false,
                      "where a file does not say how much its capture dropped, take it that it dropped nothing"},
    /* pki */
    [CLI_PKI_DIR] = {"dir", 'd', "DIR", false, "the PKI's directory (default pki)"},
    [CLI_FLEET] = {"fleet", 0, "NAME", false, "the fleet's name"},
    [CLI_OUT] = {"out", 0, "DIR", false, "where certificate and key go (default: the PKI's directory)"},
    [CLI_DNS] = {"dns", 0, "NAME[,NAME…]", true, "a DNS name or address under which a coordinator is reached"},
    [CLI_DAYS] = {"days", 0, "COUNT", false, "how many days it is valid (default 365; a CA 3650)"},
    /* admission */
    [CLI_BIND_SCALE_SET] = {"scale-set", 0, "NAME", false, "the scale set that it is bound to"},
    [CLI_BIND_REGION] = {"region", 0, "NAME", false, "the region that it is bound to"},
    [CLI_USES] = {"uses", 0, "COUNT", false, "how many instances may enrol with it, 1 to 10000 (default 1)"},
    [CLI_TTL] = {"ttl", 0, "TIME", false, "how long it is valid, 1s to 30d (default 1h)"},
    [CLI_APPROVAL] = {"approval", 0, NULL, false, "each enrolment waits until an operator approves it"},
    [CLI_ALL_PAST] = {"all", 0, NULL, false, "also what is over: tokens of no more use, enrolments that are decided"},
    [CLI_FORCE] = {"force", 0, NULL, false, "also with captures on it that are not over: they end"},
};

const cli_option_id cli_common_options[] = {CLI_OUTPUT, CLI_QUIET, CLI_COLOR, CLI_HELP, CLI_OPTION_NONE};
const cli_option_id cli_connection_options[] = {CLI_CONTEXT, CLI_COORDINATOR, CLI_CA, CLI_CERT, CLI_KEY,
                                                CLI_SERVER_NAME, CLI_TIMEOUT, CLI_OPTION_NONE};

#define TARGET_OPTIONS CLI_SCALE_SET, CLI_REGION, CLI_ZONE, CLI_INCLUDE, CLI_EXCLUDE, CLI_SELECTOR
#define LIST(...) (const cli_option_id[]){__VA_ARGS__ __VA_OPT__(,) CLI_OPTION_NONE}

const cli_group cli_groups[] = {
    {"capture", "packet captures: start, look, stop, collect"},
    {"instance", "the instances of the fleet"},
    {"token", "enrolment tokens: who may let instances in, where, how many"},
    {"enrolment", "the instances that asked to get in"},
    {"fleet", "the fleet as a whole"},
    {"pki", "the fleet's certificates"},
    {"context", "how to reach which fleet"},
};
const size_t cli_group_count = FC_COUNT(cli_groups);

const cli_command cli_commands[] = {
    {"capture create", "[NAME]", 0, 1, true,
     "start a capture on every chosen instance",
     "Starts one capture definition on all instances that the target options choose, at one instant, and waits until\n"
     "every instance that is online has started. Without target options that is the whole fleet. An instance that is\n"
     "offline starts when it returns, while the capture's time lasts.\n"
     "Options override what --file says; the filters as a whole, and each list as a whole.\n"
     "Exit status 4: some instances failed.",
     "fleetcap capture create dns-1 --scale-set web --filter protocol=UDP,remotePort=53 --time-limit 15m\n"
     "fleetcap capture create tls-eu --region eu --filter \"protocol=TCP,remotePort=443;8443\" --capture-size 128\n"
     "fleetcap capture create again -f definition.yaml --dry-run",
     LIST(CLI_NAME, CLI_FILE, TARGET_OPTIONS, CLI_FILTER, CLI_FILTERS, CLI_RAW_FILTER, CLI_CAPTURE_SIZE,
          CLI_BYTES_PER_PACKET, CLI_CAPTURE_LIMIT, CLI_TIME_LIMIT, CLI_PACKET_LIMIT, CLI_RING, CLI_INTERFACE,
          CLI_INCLUDE_OWN_TRAFFIC, CLI_REASON, CLI_OWNER, CLI_INCIDENT, CLI_DELETE_AFTER, CLI_TAG, CLI_DRY_RUN,
          CLI_NO_WAIT, CLI_YES),
     cli_capture_create},
    {"capture list", "", 0, 0, true,
     "list the captures, the newest first", NULL,
     "fleetcap capture list --active",
     LIST(CLI_ACTIVE), cli_capture_list},
    {"capture show", "[NAME]", 0, 1, true,
     "show a capture and what each instance does with it",
     "The instances that need attention come first: failed, unknown, pending, then those with drops.",
     "fleetcap capture show dns-1\nfleetcap capture show dns-1 -o json",
     LIST(CLI_NAME), cli_capture_show},
    {"capture stop", "[NAME…]", 0, -1, true,
     "stop captures, and say who has acknowledged it",
     "Stops the named captures, or all of them, everywhere or only on the instances that the options choose. Prints\n"
     "each acknowledgement with its totals as it comes. An instance that is away stops when it returns.\n"
     "Exit status 4: some instances did not answer; 5: none did.",
     "fleetcap capture stop dns-1\nfleetcap capture stop --all\nfleetcap capture stop --scale-set web --region eu",
     LIST(CLI_NAME, CLI_ALL, CLI_SCALE_SET, CLI_REGION, CLI_SELECTOR, CLI_INSTANCE, CLI_NO_WAIT, CLI_YES),
     cli_capture_stop},
    {"capture delete", "[NAME]", 0, 1, true,
     "forget a capture; its files stay unless told otherwise",
     "Asks first when there is a terminal; without one, --yes is needed.",
     "fleetcap capture delete dns-1\nfleetcap capture delete dns-1 --stop --delete-files --yes",
     LIST(CLI_NAME, CLI_DELETE_FILES, CLI_STOP, CLI_YES), cli_capture_delete},
    {"capture wait", "[NAME]", 0, 1, true,
     "wait until a capture runs or has stopped",
     "running: every instance that is online has started. stopped: every instance has finished.\n"
     "Exit status 4: some instances failed; 5: --timeout was over first.",
     "fleetcap capture wait dns-1 --for stopped --timeout 20m",
     LIST(CLI_NAME, CLI_FOR), cli_capture_wait},
    {"capture watch", "[NAME]", 0, 1, true,
     "watch a capture live until it has finished",
     "On a terminal a table that renews itself, otherwise one line per change (with -o json: one object per line).\n"
     "Ctrl-C ends the watching, not the capture.",
     "fleetcap capture watch dns-1",
     LIST(CLI_NAME), cli_capture_watch},
    {"capture files", "[NAME]", 0, 1, true,
     "list where a capture's files are, with their hashes", NULL,
     "fleetcap capture files dns-1 -o tsv",
     LIST(CLI_NAME, CLI_INCLUDE), cli_capture_files},
    {"capture download", "[NAME]", 0, 1, true,
     "fetch all files of a capture, verified, with a manifest",
     "Fetches every finished file of every instance through the coordinator, goes on where an earlier run ended,\n"
     "verifies each SHA-256, and writes manifest.json beside them.\n"
     "Exit status 4: the files of some instances could not be fetched.",
     "fleetcap capture download dns-1\nfleetcap capture download dns-1 --dir evidence --include web-3",
     LIST(CLI_NAME, CLI_DOWNLOAD_DIR, CLI_PARALLEL, CLI_INCLUDE), cli_capture_download},
    {"capture profile", "[NAME]", 0, 1, true,
     "show the profiles of a capture's traffic, instance by instance",
     "Each instance sums its traffic up while it captures: no packet leaves it for this. With -o json the whole profiles,\n"
     "and the network configuration of each instance at its start and at its stop.",
     "fleetcap capture profile dns-1\nfleetcap capture profile dns-1 --instance web-3 -o json",
     LIST(CLI_NAME, CLI_INSTANCE), cli_capture_profile},
    {"analyze", "FILE…", 1, -1, false,
     "show what capture files hold, and what went wrong in them",
     "Reads pcap and pcapng, also compressed with zstd; - is standard input, a directory stands for all captures below it.\n"
     "The files that fleetcap-capture wrote for one instance become one profile; any other file stands for an instance of\n"
     "its own, with the file's name. No fleet and no coordinator are needed. Files are taken apart by processes that can\n"
     "neither open files nor reach a network.\n"
     "Exit status 4: some files could not be read, or are corrupt somewhere.",
     "fleetcap analyze web-4.pcapng\n"
     "fleetcap analyze evidence/ -o json\n"
     "ssh web-4 cat /var/captures/dns.pcap.zst | fleetcap analyze - --dns\n"
     "fleetcap analyze server.pcap --local 10.0.0.5 --conversations --save-profile server.fcprofile",
     LIST(CLI_CONVERSATIONS, CLI_QUESTIONS, CLI_LOCAL, CLI_SAVE_PROFILE), cli_analyze},
    {"compare", "CAPTURE|FILE…|DIR…", 1, -1, true,
     "say what the faulty instance does that the healthy ones do not",
     "Compares the instances of a capture by the profiles that they reported: no packet leaves an instance for it. Files,\n"
     "saved profiles and directories are compared without a fleet; an operand that is there on disk is taken for that.\n"
     "Without --healthy and --suspect every instance is compared with all others, and the outliers are found.\n"
     "The first line is the verdict; then come the findings, the worst first, and where to look: file, frame and a display\n"
     "filter for Wireshark.\n"
     "Exit status 0 also when differences were found, unless --fail-on says otherwise; 4: some files could not be read.",
     "fleetcap compare slow-jobs\n"
     "fleetcap compare slow-jobs --suspect web-4 --healthy \"web-[1-3]\" --html report.html\n"
     "fleetcap compare slow-jobs --suspect canary=true --fail-on error\n"
     "fleetcap compare good.pcap bad.pcap\n"
     "fleetcap compare evidence/ -o json",
     LIST(CLI_HEALTHY, CLI_SUSPECT, CLI_HTML, CLI_EVERYTHING, CLI_FAIL_ON), cli_compare},
    {"path", "CAPTURE|DIR|FILE_A FILE_B", 1, 2, true,
     "say what became of the packets between two instances",
     "Matches what two captures show of the same conversations, also through NAT and offloads, and says of each direction\n"
     "what was delivered, lost between the two, altered or delayed, and of what that cannot be said, and why. The clocks'\n"
     "offset and skew are estimated from the packets, with their bounds. Two files, or a directory as capture download\n"
     "leaves it, need no fleet; of a capture on the fleet the two instances' files are fetched first (kept with --dir).\n"
     "What a capture may have missed is never called lost.",
     "fleetcap path web-1.pcapng web-3.pcapng\n"
     "fleetcap path slow-jobs --from web-1 --to db-2\n"
     "fleetcap path evidence/ --from web-1 --to db-2 -o json",
     LIST(CLI_FROM, CLI_TO, CLI_KEEP_DIR, CLI_LOSSLESS, CLI_EVERYTHING), cli_path},
    {"instance list", "", 0, 0, true,
     "list the instances, those that are offline first", NULL,
     "fleetcap instance list --region eu -l role=web",
     LIST(TARGET_OPTIONS), cli_instance_list},
    {"instance show", "INSTANCE", 1, 1, true,
     "show one instance and its captures", NULL,
     "fleetcap instance show web-3",
     LIST(CLI_OPTION_NONE), cli_instance_show},
    {"instance remove", "INSTANCE", 1, 1, true,
     "put an instance out of the fleet, and revoke its certificates",
     "Revokes every certificate of the instance, closes its connection at once, and forgets it. It comes back only with\n"
     "a new enrolment. What it captured stays on its disk. With captures on it that are not over, --force is needed.\n"
     "Asks first when there is a terminal; without one, --yes is needed.",
     "fleetcap instance remove web-3\nfleetcap instance remove web-3 --force --yes",
     LIST(CLI_FORCE, CLI_YES), cli_instance_remove},
    {"token create", "", 0, 0, true,
     "make a token with which instances enrol",
     "Prints the token, and nothing else, on standard output: it is shown this once and stored nowhere. Whoever has it\n"
     "can put machines into that scale set and region, as often as --uses says, until --ttl is over.\n"
     "With --approval each of them waits for `fleetcap enrolment approve`. A scale set or region that no instance has\n"
     "yet is noted on a terminal, with those that are known.",
     "fleetcap token create --scale-set web --region eu --uses 50 --ttl 1h\n"
     "fleetcap token create --scale-set db --region us --approval -o json",
     LIST(CLI_BIND_SCALE_SET, CLI_BIND_REGION, CLI_USES, CLI_TTL, CLI_APPROVAL), cli_token_create},
    {"token list", "", 0, 0, true,
     "list the tokens that are valid, the newest first", NULL,
     "fleetcap token list --all",
     LIST(CLI_ALL_PAST), cli_token_list},
    {"token revoke", "ID", 1, 1, true,
     "make a token worthless",
     "Takes the token's id, or the whole token. Nobody enrols with it any more, nor does who still waits for approval;\n"
     "instances that have enrolled stay.",
     "fleetcap token revoke 5f1d0c2a9b7e4836",
     LIST(CLI_OPTION_NONE), cli_token_revoke},
    {"enrolment list", "", 0, 0, true,
     "list the enrolments that wait for approval", NULL,
     "fleetcap enrolment list\nfleetcap enrolment list --all -o json",
     LIST(CLI_ALL_PAST), cli_enrolment_list},
    {"enrolment approve", "ID|INSTANCE", 1, 1, true,
     "let an instance in that waits",
     "Compare the key's SHA-256 with the one that `fleetcap-node enroll` shows on the machine: that is what gets the\n"
     "certificate.",
     "fleetcap enrolment approve web-7",
     LIST(CLI_OPTION_NONE), cli_enrolment_approve},
    {"enrolment deny", "ID|INSTANCE", 1, 1, true,
     "turn an instance away that waits", NULL,
     "fleetcap enrolment deny web-7",
     LIST(CLI_OPTION_NONE), cli_enrolment_deny},
    {"fleet show", "", 0, 0, true,
     "show the fleet, its coordinator and the coordinator's counters", NULL,
     "fleetcap fleet show",
     LIST(CLI_OPTION_NONE), cli_fleet_show},
    {"pki init", "", 0, 0, false,
     "make the fleet's certificate authority", NULL,
     "fleetcap pki init --fleet acme --dir pki",
     LIST(CLI_FLEET, CLI_PKI_DIR, CLI_DAYS), cli_pki_init},
    {"pki issue", "ROLE NAME", 2, 2, false,
     "issue a certificate: ROLE is node, operator or coordinator",
     "Writes ROLE-NAME.crt and ROLE-NAME.key. A node's NAME is its instance id; --scale-set and --region bind it, so that\n"
     "its own configuration can say no other.",
     "fleetcap pki issue coordinator main --dns coordinator.example --dns 10.0.0.5\n"
     "fleetcap pki issue node web-1 --scale-set web --region eu --out /etc/fleetcap\n"
     "fleetcap pki issue operator alice --days 30",
     LIST(CLI_PKI_DIR, CLI_OUT, CLI_DNS, CLI_DAYS, CLI_BIND_SCALE_SET, CLI_BIND_REGION), cli_pki_issue},
    {"pki revoke", "ROLE/NAME|SERIAL", 1, 1, false,
     "revoke certificates and write the revocation list",
     "Copy crl.pem to the coordinator afterwards: it reads the file again by itself.",
     "fleetcap pki revoke node/web-1",
     LIST(CLI_PKI_DIR), cli_pki_revoke},
    {"pki show", "", 0, 0, false,
     "list the certificates that were issued", NULL,
     "fleetcap pki show --dir pki",
     LIST(CLI_PKI_DIR), cli_pki_show},
    {"context list", "", 0, 0, false,
     "list the configured contexts", NULL, "fleetcap context list",
     LIST(CLI_OPTION_NONE), cli_context_list},
    {"context use", "NAME", 1, 1, false,
     "choose the context that is used from now on", NULL, "fleetcap context use prod",
     LIST(CLI_OPTION_NONE), cli_context_use},
    {"context show", "[NAME]", 0, 1, false,
     "show what a command would connect to, and where each value comes from", NULL, "fleetcap context show",
     LIST(CLI_CONTEXT, CLI_COORDINATOR, CLI_CA, CLI_CERT, CLI_KEY, CLI_SERVER_NAME), cli_context_show},
    {"context set", "NAME", 1, 1, false,
     "add a context, or change one",
     "Only what is given is changed; an empty value removes it. The first context becomes the current one. With\n"
     "--fleet, a coordinator whose certificate is of another fleet is refused.\n"
     "The file is $XDG_CONFIG_HOME/fleetcap/config.yaml; comments in it are not kept.",
     "fleetcap context set prod --coordinator coordinator.example:7443 --ca ca.crt \\\n"
     "    --cert operator-alice.crt --key operator-alice.key --fleet acme",
     LIST(CLI_COORDINATOR, CLI_CA, CLI_CERT, CLI_KEY, CLI_SERVER_NAME, CLI_FLEET), cli_context_set},
    {"completion", "bash|zsh", 1, 1, false,
     "print a completion script for your shell", NULL,
     "fleetcap completion bash >/etc/bash_completion.d/fleetcap\nsource <(fleetcap completion bash)\n"
     "fleetcap completion zsh >/usr/local/share/zsh/site-functions/_fleetcap",
     LIST(CLI_OPTION_NONE), cli_completion},
    {"version", "", 0, 0, false,
     "print the program's version", NULL, NULL,
     LIST(CLI_OPTION_NONE), cli_version},
};
// clang-format on
const size_t cli_command_count = FC_COUNT(cli_commands);
