#include "node/enroll_options.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "node/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WAIT_MS = 10 * 60 * 1000,
    WAIT_MS_MAX = 24 * 3600 * 1000,
    TOKEN_FILE_BYTES_MAX = 1024,
    LABELS_MAX = 64
};

static const char usage[] =
    "Usage: fleetcap-node enroll --token-file FILE [OPTION...]\n"
    "\n"
    "Gives this machine a certificate of the fleet: makes a key here, asks the\n"
    "coordinator with the token (fleetcap token create), checks by the token that it\n"
    "is the right one, and keeps what it answers where the daemon finds and renews\n"
    "it. Asking again after a crash, or while an operator has to approve it, is the\n"
    "same enrolment and does not use the token twice.\n"
    "\n"
    "  --coordinator HOST:PORT  the coordinator; as the configuration says otherwise\n"
    "  --token-file FILE        a file with the token, - for standard input; else\n"
    "                           FLEETCAP_TOKEN in the environment\n"
    "  --token TOKEN            the token itself, which other users may see then\n"
    "  --id ID                  this instance's id, the name in its certificate; the\n"
    "                           instance metadata's otherwise, else the host's name\n"
    "  --name NAME              the name that operators see; found likewise\n"
    "  --zone ZONE              its zone\n"
    "  --label KEY=VALUE        a label for selectors; may be repeated\n"
    "  --metadata SOURCE        who knows id, name, zone and labels: auto\n"
    "                           (otherwise), azure, cloud-init or none\n"
    "  --state-dir DIR          where to keep it; state_dir of the configuration\n"
    "                           otherwise, else " ND_IDENTITY_DIR "\n"
    "  --wait DURATION          how long to wait for an approval, or for a\n"
    "                           coordinator that does not answer; 10m otherwise\n"
    "  --force                  enrol anew, with a new key, although there is a good\n"
    "                           certificate; its instance has to be removed first\n"
    "  --config FILE            configuration (YAML); /etc/fleetcap/node.yaml\n"
    "                           otherwise, if it is there\n"
    "  --help                   print this, exit\n"
    "\n"
    "Exit status: 0 enrolled (now or already), 1 error, 2 wrong usage, 3 a file is\n"
    "not there, 5 not reached or not approved in time, 6 refused, 7 the id belongs\n"
    "to another machine or key.\n";

static fc_exit
wrong(const char *what, const char *text, const char *why)
{
    (void)fprintf(stderr, "fleetcap-node: --%s: '%.100s' is %s\n", what, text, why);
    return FC_EXIT_USAGE;
}

/* ---- values ---- */

static fc_exit
take_name(const char *option, const char *text, const char **slot)
{
    if (!fc_name_check(text))
        return wrong(option, text, "not a name (letters, digits, '.', '_', '-'; at most 63)");
    *slot = text;
    return FC_EXIT_OK;
}

static fc_exit
take_label(const char *text, fc_labels *labels)
{
    char key[FC_NAME_MAX + 1];
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : 0;
    if (length == 0 || length > FC_NAME_MAX)
        return wrong("label", text, "not KEY=VALUE");
    memcpy(key, text, length);
    key[length] = '\0';
    if (!fc_name_check(key))
        return wrong("label", text, "not KEY=VALUE with a name as key");
    if (strlen(equals + 1) > ND_METADATA_LABEL_VALUE_MAX)
        return wrong("label", key, "a label with more than 255 characters");
    for (const char *c = equals + 1; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return wrong("label", key, "a label with other than printable characters");
    if (labels->count == LABELS_MAX)
        return wrong("label", key, "one label too many: at most 64");
    fc_labels_set(labels, key, equals + 1);
    return FC_EXIT_OK;
}

static fc_exit
take_wait(const char *text, uint64_t *ret_ms)
{
    if (fc_duration_parse(text, ret_ms) != FC_OK || *ret_ms > WAIT_MS_MAX)
        return wrong("wait", text, "not a time of at most 24h (30s, 10m)");
    return FC_EXIT_OK;
}

static fc_exit
take_directory(const char *text, const char **slot)
{
    if (*text != '/' || strstr(text, "/../") != NULL)
        return wrong("state-dir", text, "not an absolute path");
    *slot = text;
    return FC_EXIT_OK;
}

static fc_exit
take(int option, nd_enroll_options *ret)
{
    switch (option) {
    case 'c':
        ret->config = optarg;
        ret->config_given = true;
        return FC_EXIT_OK;
    case 'o':
        ret->coordinator = optarg;
        return FC_EXIT_OK;
    case 't':
        ret->token = optarg;
        return FC_EXIT_OK;
    case 'T':
        ret->token_file = optarg;
        return FC_EXIT_OK;
    case 'i':
        return take_name("id", optarg, &ret->id);
    case 'n':
        return take_name("name", optarg, &ret->name);
    case 'z':
        return take_name("zone", optarg, &ret->zone);
    case 'l':
        return take_label(optarg, &ret->labels);
    case 'm':
        return nd_metadata_source_parse(optarg, &ret->metadata)
                   ? FC_EXIT_OK
                   : wrong("metadata", optarg, "none of auto, azure, cloud-init, none");
    case 's':
        return take_directory(optarg, &ret->state_dir);
    case 'w':
        return take_wait(optarg, &ret->wait_ms);
    case 'f':
        ret->force = true;
        return FC_EXIT_OK;
    default:
        (void)fputs("fleetcap-node: see fleetcap-node enroll --help\n", stderr);
        return FC_EXIT_USAGE;
    }
}

fc_exit
nd_enroll_options_read(int argc, char **argv, nd_enroll_options *ret, bool *ret_done)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},   {"coordinator", required_argument, NULL, 'o'},
        {"token", required_argument, NULL, 't'},    {"token-file", required_argument, NULL, 'T'},
        {"id", required_argument, NULL, 'i'},       {"name", required_argument, NULL, 'n'},
        {"zone", required_argument, NULL, 'z'},     {"label", required_argument, NULL, 'l'},
        {"metadata", required_argument, NULL, 'm'}, {"state-dir", required_argument, NULL, 's'},
        {"wait", required_argument, NULL, 'w'},     {"force", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    fc_exit status = FC_EXIT_OK;
    *ret = (nd_enroll_options){.config = "/etc/fleetcap/node.yaml", .wait_ms = WAIT_MS};
    for (int option; status == FC_EXIT_OK && (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            *ret_done = true;
            return FC_EXIT_OK;
        }
        status = take(option, ret);
    }
    if (status == FC_EXIT_OK && optind < argc) {
        (void)fprintf(stderr, "fleetcap-node: enroll: unexpected argument '%.100s'\n", argv[optind]);
        status = FC_EXIT_USAGE;
    }
    if (status == FC_EXIT_OK && ret->token != NULL && ret->token_file != NULL) {
        (void)fputs("fleetcap-node: enroll: --token and --token-file: only one of them\n", stderr);
        status = FC_EXIT_USAGE;
    }
    return status;
}

/* ---- the token ---- */

static fc_err
read_file(const char *path, fc_token *ret_token, fc_fail *fail)
{
    char text[TOKEN_FILE_BYTES_MAX + 1];
    size_t size = 0;
    fc_err err = FC_OK;
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fc_fail_errno(fail, errno, "cannot open the token file %.120s", path);
    while (size < TOKEN_FILE_BYTES_MAX) {
        ssize_t got = read(fd, text + size, TOKEN_FILE_BYTES_MAX - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = fc_fail_errno(fail, errno, "cannot read the token file %.120s", path);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    text[size] = '\0';
    if (err == FC_OK)
        err = fc_token_parse(text, ret_token, fail);
    explicit_bzero(text, sizeof text);
    if (!standard)
        close(fd);
    return err;
}

static fc_err
parse_and_wipe(char *text, fc_token *ret_token, fc_fail *fail)
{
    fc_err err = fc_token_parse(text, ret_token, fail);
    explicit_bzero(text, strlen(text));
    return err;
}

fc_err
nd_enroll_options_token(nd_enroll_options *options, fc_token *ret_token, fc_fail *fail)
{
    char *environment = getenv("FLEETCAP_TOKEN");
    fc_err err;
    if (options->token != NULL)
        err = parse_and_wipe(options->token, ret_token, fail);
    else if (options->token_file != NULL)
        err = read_file(options->token_file, ret_token, fail);
    else if (environment != NULL)
        err = parse_and_wipe(environment, ret_token, fail);
    else
        err = fc_fail_set(
            fail, FC_ERR_INVALID,
            "no token: give --token-file FILE (an operator makes one with fleetcap token create)");
    options->token = NULL;
    if (environment != NULL) {
        explicit_bzero(environment, strlen(environment));
        (void)unsetenv("FLEETCAP_TOKEN");
    }
    return err;
}

void
nd_enroll_options_fini(nd_enroll_options *options)
{
    fc_labels_fini(&options->labels);
}
