/* fleetcap-node: options, then the init chain. */
#include "common/base/log.h"
#include "common/tls/tls.h"
#include "node/config.h"
#include "node/daemon.h"
#include "node/enroll.h"
#include "node/monitor.h"
#include "node/privileges.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "Usage: fleetcap-node [--config FILE] [--check]\n"
                            "       fleetcap-node enroll --token-file FILE [OPTION...]\n"
                            "       fleetcap-node enroll --help\n"
                            "\n"
                            "The node daemon of fleetcap: captures packets on this instance when its\n"
                            "coordinator says so, within the limits of its own configuration.\n"
                            "\n"
                            "  --config FILE  configuration (YAML); /etc/fleetcap/node.yaml otherwise\n"
                            "  --check        read configuration and credentials, say what is wrong, exit\n"
                            "  --version      print the version, exit\n"
                            "  --help         print this, exit\n"
                            "\n"
                            "SIGTERM stops and seals all captures; SIGHUP reads the credentials again;\n"
                            "SIGUSR1 renews the certificate now; SIGUSR2 ends the daemon and leaves its\n"
                            "captures to the next start.\n";

typedef struct options {
    const char *config;
    bool check;
} options;

/* FC_EXIT_OK: go on. Anything else, or *ret_done: exit with it. */
static fc_exit
read_options(int argc, char **argv, options *ret_options, bool *ret_done)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'C'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'c':
            ret_options->config = optarg;
            break;
        case 'C':
            ret_options->check = true;
            break;
        case 'V':
            (void)puts("fleetcap-node " FC_VERSION);
            *ret_done = true;
            return FC_EXIT_OK;
        case 'h':
            (void)fputs(usage, stdout);
            *ret_done = true;
            return FC_EXIT_OK;
        default:
            (void)fputs("fleetcap-node: see fleetcap-node --help\n", stderr);
            return FC_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return FC_EXIT_OK;
    (void)fprintf(stderr, "fleetcap-node: unexpected argument '%.100s'; see fleetcap-node --help\n",
                  argv[optind]);
    return FC_EXIT_USAGE;
}

static fc_err
run(const nd_config *config, fc_fail *fail)
{
    int monitor_fd = -1;
    pid_t monitor_pid = 0;
    fc_err err = nd_monitor_fork(config->helper, config->user, &monitor_fd, &monitor_pid, fail);
    if (err != FC_OK)
        return err;
    err = nd_privileges_drop(config->user, config->captures_dir, fail);
    if (err != FC_OK) {
        close(monitor_fd);
        return err;
    }
    return nd_daemon_run(config, monitor_fd, fail);
}

int
main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "enroll") == 0 || strcmp(argv[1], "enrol") == 0))
        return (int)nd_enroll_main(argc - 1, argv + 1);
    options chosen = {.config = "/etc/fleetcap/node.yaml"};
    bool done = false;
    fc_exit status = read_options(argc, argv, &chosen, &done);
    if (done || status != FC_EXIT_OK)
        return (int)status;
    nd_config config = {0};
    fc_fail fail = {0};
    fc_tls_tune_memory();
    fc_err err = nd_config_load(chosen.config, &config, &fail);
    if (err == FC_OK) {
        fc_log_open("fleetcap-node", (fc_log_level)fc_log_level_parse(config.log_level));
        err = chosen.check ? nd_daemon_check(&config, &fail) : run(&config, &fail);
    }
    nd_config_fini(&config);
    if (err != FC_OK)
        (void)fprintf(stderr, "fleetcap-node: %s\n", fail.text);
    else if (chosen.check)
        (void)puts("fleetcap-node: the configuration is in order");
    return (int)fc_err_exit(err);
}
