/* fleetcap-coordinator: options, then the init chain. */
#include "common/base/log.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/tls/tls.h"
#include "coordinator/config.h"
#include "coordinator/server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char usage[] = "Usage: fleetcap-coordinator [--config FILE] [--check]\n"
                            "\n"
                            "Coordinates packet captures on a fleet of instances.\n"
                            "\n"
                            "  -c, --config FILE  configuration (default /etc/fleetcap/coordinator.yaml)\n"
                            "      --check        check configuration and credentials, and exit\n"
                            "      --version      show the version, and exit\n"
                            "  -h, --help         show this, and exit\n"
                            "\n"
                            "SIGHUP reads the credentials again; SIGTERM and SIGINT end the program.\n";

typedef struct options {
    const char *config;
    bool check;
} options;

typedef struct signals {
    fc_watch watch;
    fc_loop *loop;
    co_server *server;
} signals;

/* -1: go on; otherwise the status to exit with. */
static int
read_options(int argc, char **argv, options *ret)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 'k':
            ret->check = true;
            break;
        case 'V':
            (void)printf("fleetcap-coordinator %s\n", FC_VERSION);
            return FC_EXIT_OK;
        case 'h':
            (void)fputs(usage, stdout);
            return FC_EXIT_OK;
        default:
            return FC_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "%s: '%s' is not expected; see --help\n", argv[0], argv[optind]);
    return FC_EXIT_USAGE;
}

static void
on_signal(fc_watch *watch, uint32_t events)
{
    (void)events;
    signals *s = FC_CONTAINER(watch, signals, watch);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        fc_notify_reloading();
        co_server_reload(s->server);
        fc_notify_reloaded();
        return;
    }
    fc_log(FC_LOG_NOTICE, "ends: %s", strsignal((int)info.ssi_signo));
    fc_notify_ending();
    fc_loop_stop(s->loop);
}

/* Before any thread is started, so that all of them have these blocked. */
static fc_err
open_signals(signals *s, fc_fail *fail)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return fc_fail_errno(fail, errno, "cannot block signals");
    s->watch.ready = on_signal;
    s->watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->watch.fd >= 0 ? FC_OK : fc_fail_errno(fail, errno, "cannot watch signals");
}

/* One descriptor for each connection: as many as the system lets us have. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fc_log(FC_LOG_WARNING, "the limit of open files stays as it is: %s", strerror(errno));
}

static fc_err
run(const co_config *config, fc_fail *fail)
{
    signals s = {.watch.fd = -1};
    fc_err err = open_signals(&s, fail);
    if (err == FC_OK && fc_loop_new(&fc_clock_system, &s.loop) != FC_OK)
        err = fc_fail_errno(fail, errno, "cannot make the event loop");
    if (err == FC_OK)
        err = co_server_open(s.loop, config, &s.server, fail);
    if (err == FC_OK && fc_loop_watch(s.loop, &s.watch, EPOLLIN) != FC_OK)
        err = fc_fail_errno(fail, errno, "cannot watch signals");
    if (err == FC_OK) {
        fc_notify notify;
        fc_notify_start(&notify, s.loop);
        fc_loop_run(s.loop);
        fc_notify_stop(&notify);
        fc_loop_unwatch(s.loop, &s.watch);
    }
    co_server_close(s.server);
    fc_loop_free(s.loop);
    if (s.watch.fd >= 0)
        close(s.watch.fd);
    return err;
}

int
main(int argc, char **argv)
{
    options chosen = {.config = "/etc/fleetcap/coordinator.yaml"};
    int status = read_options(argc, argv, &chosen);
    if (status >= 0)
        return status;
    co_config config = {0};
    fc_fail fail = {0};
    fc_tls_tune_memory();
    fc_err err = co_config_load(chosen.config, &config, &fail);
    if (err == FC_OK) {
        fc_log_open("fleetcap-coordinator", (fc_log_level)fc_log_level_parse(config.log_level));
        raise_descriptor_limit();
        err = chosen.check ? co_server_check(&config, &fail) : run(&config, &fail);
    }
    if (err != FC_OK)
        (void)fprintf(stderr, "fleetcap-coordinator: %s\n", fail.text);
    else if (chosen.check)
        (void)printf("fleetcap-coordinator: the configuration is in order\n");
    co_config_fini(&config);
    return (int)fc_err_exit(err);
}
