#include "tests/bench/fanout_fleet.h"

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "tests/temp_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SHARD = 100, /* certificates of one issuing directory: its index is written anew for each */
    THREADS = 4,
    FILE_MAX = 1 << 20,
};

void
bench_fleet_node_name(size_t index, char ret_name[FC_NAME_MAX + 1])
{
    (void)snprintf(ret_name, FC_NAME_MAX + 1, "sim-%05zu", index + 1);
}

void
bench_fleet_node_files(const bench_fleet *fleet, size_t index, char ret_certificate[PATH_MAX],
                       char ret_key[PATH_MAX])
{
    char name[FC_NAME_MAX + 1];
    bench_fleet_node_name(index, name);
    (void)snprintf(ret_certificate, PATH_MAX, "%s/nodes/node-%s.crt", fleet->directory, name);
    (void)snprintf(ret_key, PATH_MAX, "%s/nodes/node-%s.key", fleet->directory, name);
}

/* ---- credentials ---- */

typedef struct issuing {
    const bench_fleet *fleet;
    size_t instances;
    atomic_size_t next_shard;
    pthread_mutex_t lock; /* over fail */
    fc_fail fail;
} issuing;

static fc_err
copy_file(const char *from_dir, const char *to_dir, const char *name, fc_fail *fail)
{
    char from[PATH_MAX];
    fc_buf bytes = {0};
    (void)snprintf(from, sizeof from, "%s/%s", from_dir, name);
    fc_err err = fc_file_read(AT_FDCWD, from, FILE_MAX, &bytes, fail);
    int dir_fd = open(to_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (err == FC_OK)
        err = dir_fd >= 0
                  ? fc_file_write_atomic(dir_fd, name, fc_buf_bytes(&bytes), fc_buf_size(&bytes), 0600, fail)
                  : fc_fail_errno(fail, errno, "%s", to_dir);
    if (dir_fd >= 0)
        close(dir_fd);
    fc_buf_fini(&bytes);
    return err;
}

/* The same CA in a directory of its own, so that indexes stay short and threads do not meet. */
static fc_err
issue_shard(const issuing *i, size_t shard, fc_fail *fail)
{
    static const char *const files[] = {"ca.crt", "ca.key", "crl.pem", "index.json"};
    char pki[256], own[256], out[256], name[FC_NAME_MAX + 1];
    (void)snprintf(pki, sizeof pki, "%s/pki", i->fleet->directory);
    (void)snprintf(out, sizeof out, "%s/nodes", i->fleet->directory);
    (void)snprintf(own, sizeof own, "%s/shard-%zu", i->fleet->directory, shard);
    if (mkdir(own, 0700) != 0)
        return fc_fail_errno(fail, errno, "%s", own);
    fc_err err = FC_OK;
    for (size_t f = 0; f < FC_COUNT(files) && err == FC_OK; f++)
        err = copy_file(pki, own, files[f], fail);
    for (size_t at = shard * SHARD; at < (shard + 1) * SHARD && at < i->instances && err == FC_OK; at++) {
        bench_fleet_node_name(at, name);
        fc_pki_request request = {.role = FC_ROLE_NODE, .name = name};
        err = fc_pki_issue(own, &request, out, fail);
    }
    return err;
}

static void *
issue_thread(void *arg)
{
    issuing *i = arg;
    for (size_t shard; (shard = atomic_fetch_add(&i->next_shard, 1)) * SHARD < i->instances;) {
        fc_fail fail = {0};
        if (issue_shard(i, shard, &fail) == FC_OK)
            continue;
        pthread_mutex_lock(&i->lock);
        i->fail = fail;
        pthread_mutex_unlock(&i->lock);
        break;
    }
    return NULL;
}

static fc_err
issue_nodes(const bench_fleet *fleet, size_t instances, fc_fail *fail)
{
    issuing i = {.fleet = fleet, .instances = instances, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[THREADS];
    char out[256];
    size_t started = 0;
    (void)snprintf(out, sizeof out, "%s/nodes", fleet->directory);
    if (mkdir(out, 0700) != 0)
        return fc_fail_errno(fail, errno, "%s", out);
    while (started < THREADS && pthread_create(&threads[started], NULL, issue_thread, &i) == 0)
        started++;
    for (size_t t = 0; t < started; t++)
        pthread_join(threads[t], NULL);
    if (started == 0)
        return fc_fail_set(fail, FC_ERR_IO, "cannot start a thread");
    return i.fail.err == FC_OK ? FC_OK : fc_fail_copy(fail, &i.fail);
}

static fc_err
issue_all(bench_fleet *fleet, size_t instances, fc_fail *fail)
{
    static const char *const addresses[] = {"127.0.0.1"};
    char pki[256];
    fc_pki_request coordinator = {
        .role = FC_ROLE_COORDINATOR, .name = "main", .dns_names = addresses, .dns_name_count = 1};
    fc_pki_request admin = {.role = FC_ROLE_OPERATOR, .name = "admin"};
    (void)snprintf(pki, sizeof pki, "%s/pki", fleet->directory);
    (void)snprintf(fleet->ca, sizeof fleet->ca, "%s/pki/ca.crt", fleet->directory);
    (void)snprintf(fleet->operator_certificate, sizeof fleet->operator_certificate,
                   "%s/pki/operator-admin.crt", fleet->directory);
    (void)snprintf(fleet->operator_key, sizeof fleet->operator_key, "%s/pki/operator-admin.key",
                   fleet->directory);
    fc_err err = fc_pki_init(pki, "bench", 0, fail);
    if (err == FC_OK)
        err = fc_pki_issue(pki, &coordinator, NULL, fail);
    if (err == FC_OK)
        err = fc_pki_issue(pki, &admin, NULL, fail);
    return err == FC_OK ? issue_nodes(fleet, instances, fail) : err;
}

/* ---- the coordinator ---- */

static fc_err
free_port(uint16_t *ret_port, fc_fail *fail)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    if (rc == 0)
        rc = getsockname(fd, (struct sockaddr *)&address, &length);
    fc_err err = rc == 0 ? FC_OK : fc_fail_errno(fail, errno, "no free port");
    if (fd >= 0)
        close(fd);
    *ret_port = ntohs(address.sin_port);
    return err;
}

static fc_err
write_config(bench_fleet *fleet, fc_fail *fail)
{
    uint16_t port = 0;
    fc_err err = free_port(&port, fail);
    if (err != FC_OK)
        return err;
    fc_buf text = {0};
    (void)snprintf(fleet->address, sizeof fleet->address, "127.0.0.1:%u", port);
    fc_buf_printf(&text, "listen: \"%s\"\nstate_dir: %s/state\nca: %s\n", fleet->address, fleet->directory,
                  fleet->ca);
    fc_buf_printf(&text, "certificate: %s/pki/coordinator-main.crt\nkey: %s/pki/coordinator-main.key\n",
                  fleet->directory, fleet->directory);
    fc_buf_printf(&text, "crl: %s/pki/crl.pem\nlog_level: warning\n", fleet->directory);
    int dir_fd = open(fleet->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || mkdirat(dir_fd, "state", 0700) != 0)
        err = fc_fail_errno(fail, errno, "%s", fleet->directory);
    else
        err = fc_file_write_atomic(dir_fd, "coordinator.yaml", fc_buf_bytes(&text), fc_buf_size(&text), 0600,
                                   fail);
    if (dir_fd >= 0)
        close(dir_fd);
    fc_buf_fini(&text);
    return err;
}

static fc_err
find_program(bench_fleet *fleet, fc_fail *fail)
{
    char own[PATH_MAX - 32];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return fc_fail_errno(fail, errno, "this program's own path is not known");
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    (void)snprintf(fleet->program, sizeof fleet->program, "%s/fleetcap-coordinator", own);
    return access(fleet->program, X_OK) == 0 ? FC_OK : fc_fail_errno(fail, errno, "%s", fleet->program);
}

fc_err
bench_fleet_make(bench_fleet *fleet, size_t instances, fc_fail *fail)
{
    struct rlimit limit;
    const char *base =
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* keys and certificates: no disk */
    memset(fleet, 0, sizeof *fleet);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        if (limit.rlim_max < 2 * instances + 1000)
            limit.rlim_max = 2 * instances + 1000;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return fc_fail_errno(fail, errno, "cannot have %zu open files", 2 * instances + 1000);
    }
    (void)snprintf(fleet->directory, sizeof fleet->directory, "%s/fleetcap-fanout-XXXXXX", base);
    if (mkdtemp(fleet->directory) == NULL)
        return fc_fail_errno(fail, errno, "%s", fleet->directory);
    fc_err err = find_program(fleet, fail);
    if (err == FC_OK)
        err = issue_all(fleet, instances, fail);
    return err == FC_OK ? write_config(fleet, fail) : err;
}

fc_err
bench_fleet_start(bench_fleet *fleet, fc_fail *fail)
{
    char config[192], log[192];
    (void)snprintf(config, sizeof config, "%s/coordinator.yaml", fleet->directory);
    (void)snprintf(log, sizeof log, "%s/coordinator.log", fleet->directory);
    pid_t pid = fork();
    if (pid < 0)
        return fc_fail_errno(fail, errno, "cannot start the coordinator");
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fd >= 0)
            (void)dup2(fd, STDERR_FILENO);
        execl(fleet->program, fleet->program, "--config", config, (char *)NULL);
        _exit(127);
    }
    fleet->pid = pid;
    return FC_OK;
}

static void
end(bench_fleet *fleet, int signal_number)
{
    if (fleet->pid == 0)
        return;
    (void)kill(fleet->pid, signal_number);
    while (waitpid(fleet->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    fleet->pid = 0;
}

void
bench_fleet_kill(bench_fleet *fleet)
{
    end(fleet, SIGKILL);
}

uint64_t
bench_fleet_rss_kib(const bench_fleet *fleet)
{
    char path[64];
    fc_buf text = {0};
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)fleet->pid);
    if (fc_file_read(AT_FDCWD, path, 65536, &text, NULL) == FC_OK) {
        const char *line = strstr(fc_buf_text(&text), "VmRSS:");
        if (line != NULL)
            kib = strtoull(line + strlen("VmRSS:"), NULL, 10);
    }
    fc_buf_fini(&text);
    return kib;
}

void
bench_fleet_remove(bench_fleet *fleet, bool keep)
{
    end(fleet, SIGTERM);
    if (keep)
        (void)fprintf(stderr, "bench-fanout: kept %s\n", fleet->directory);
    else if (fleet->directory[0] != '\0')
        (void)temp_dir_remove(fleet->directory);
}
