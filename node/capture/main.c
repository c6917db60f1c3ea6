/* fleetcap-capture: one instance capture. Started by the node daemon's monitor, with the node's channel as
 * descriptor 3 and the segment directory as descriptor 4; see proto/fleetcap/v1/helper.proto. */
#include "common/base/log.h"
#include "common/base/sandbox.h"
#include "node/capture/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, DIR_FD = 4 };

static const char usage[] =
    "usage: fleetcap-capture [--help | --version | --no-profile]\n"
    "Captures packets for the fleetcap node daemon, which starts it with a socket to the\n"
    "daemon as descriptor 3 and the directory for the files as descriptor 4.\n"
    "  --no-profile   makes no profile of the traffic: to measure what that costs\n";

#ifdef FC_SANDBOX_SANITIZED
/* LeakSanitizer looks for leaks at the exit from a process of its own, which the sandbox does not allow. */
const char *
__asan_default_options(void);
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Both descriptors must be what the monitor promised, and must not be inherited by anything. */
static int
check_descriptors(void)
{
    struct stat channel, dir;
    if (fstat(CHANNEL_FD, &channel) != 0 || !S_ISSOCK(channel.st_mode) || fstat(DIR_FD, &dir) != 0 ||
        !S_ISDIR(dir.st_mode))
        return -1;
    if (fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) != 0 || fcntl(DIR_FD, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return 0;
}

/* A stop is the node's decision and comes on the channel; what a service manager sends for a stop, a restart
 * (SIGUSR2) or a daemon that hangs (SIGABRT) goes to every process of the service, and must not cut off what
 * is still to be sealed. abort(3) works all the same: it takes the default back. */
static void
ignore_signals(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGABRT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)printf("fleetcap-capture %s\n", FC_VERSION);
        return FC_EXIT_OK;
    }
    bool profile = argc != 2 || strcmp(argv[1], "--no-profile") != 0;
    if (argc > 1 && profile) {
        int help = strcmp(argv[1], "--help") == 0;
        int wrong = strcmp(argv[1], "--no-profile") == 0 ? 2 : 1;
        if (!help)
            (void)fprintf(stderr, "fleetcap-capture: '%.100s' is not expected\n", argv[wrong]);
        (void)fputs(usage, help ? stdout : stderr);
        return help ? FC_EXIT_OK : FC_EXIT_USAGE;
    }
    fc_log_open("fleetcap-capture", FC_LOG_INFO);
    ignore_signals();
    (void)umask(027);
    if (check_descriptors() != 0) {
        (void)fputs("fleetcap-capture: descriptors 3 and 4 are not what fleetcap-node opens\n", stderr);
        (void)fputs(usage, stderr);
        return FC_EXIT_USAGE;
    }
    return (int)cap_run(CHANNEL_FD, DIR_FD, profile);
}
