/* rpc_capture.h: CaptureService as domain types. Messages stay in rpc_*.c; whatever comes from the peer is
 * checked there.
 */
#ifndef CLI_RPC_CAPTURE_H
#define CLI_RPC_CAPTURE_H

#include "cli/session.h"
#include "common/base/clock.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLI_STATE_COUNT = FC_STATE_UNKNOWN + 1 };

typedef struct cli_capture {
    char uid[FC_UID_LENGTH + 1];
    char name[FC_NAME_MAX + 1];
    fc_definition definition;
    bool has_definition;
    fc_state state;
    uint32_t states[CLI_STATE_COUNT]; /* instances by state */
    uint32_t instance_count, region_count;
    fc_wall created, start, window_end;
    fc_counters totals;
    char *created_by;      /* owned; "" when not known */
    char *compiled_filter; /* owned; "" = everything */
    bool stop_requested;
    uint32_t lead_time_ms;
} cli_capture;
void
cli_capture_fini(cli_capture *capture);

typedef struct cli_captures {
    cli_capture *items; /* owned */
    size_t count, capacity;
} cli_captures;
void
cli_captures_fini(cli_captures *captures);

typedef struct cli_statuses {
    fc_status *items; /* owned */
    size_t count, capacity;
} cli_statuses;
/* Copies over the status of the same instance, or adds it. */
void
cli_statuses_put(cli_statuses *statuses, const fc_status *status);
/* Those that need attention first: by state, then by losses, then by name. */
void
cli_statuses_sort(cli_statuses *statuses);
void
cli_statuses_fini(cli_statuses *statuses);

typedef struct cli_resolved {
    char id[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    bool online;
} cli_resolved;

/* What the coordinator answers to a definition. */
typedef struct cli_created {
    cli_capture capture;
    cli_resolved *instances; /* owned */
    size_t instance_count;
    fc_strings warnings;
} cli_created;
void
cli_created_fini(cli_created *created);

typedef struct cli_file {
    char instance_id[FC_NAME_MAX + 1];
    char instance_name[FC_NAME_MAX + 1];
    fc_segment segment;
    char *path; /* owned; absolute, on the instance */
    bool online;
} cli_file;
typedef struct cli_files {
    cli_file *items; /* owned */
    size_t count, capacity;
} cli_files;
void
cli_files_fini(cli_files *files);

FC_MUST_USE fc_err
cli_rpc_create(cli_session *session, const fc_definition *definition, bool dry_run, uint32_t timeout_ms,
               cli_created *ret, fc_fail *fail);
FC_MUST_USE fc_err
cli_rpc_get(cli_session *session, const char *name, uint32_t timeout_ms, cli_capture *ret, fc_fail *fail);
/* The rest append to *ret, which the caller finishes whatever happens. */
FC_MUST_USE fc_err
cli_rpc_list(cli_session *session, bool active_only, uint32_t timeout_ms, cli_captures *ret, fc_fail *fail);
FC_MUST_USE fc_err
cli_rpc_statuses(cli_session *session, const char *name, uint32_t timeout_ms, cli_statuses *ret,
                 fc_fail *fail);
FC_MUST_USE fc_err
cli_rpc_files(cli_session *session, const char *name, uint32_t timeout_ms, cli_files *ret, fc_fail *fail);

/* Each event; return false to end the watching. `changed` is lent; *capture may be taken, and is zeroed then.
 */
typedef struct cli_watcher {
    bool (*event)(cli_capture *capture, const fc_status *changed, size_t count, void *user);
    void *user;
} cli_watcher;
FC_MUST_USE fc_err
cli_rpc_watch(cli_session *session, const char *name, uint32_t interval_ms, uint32_t timeout_ms,
              const cli_watcher *watcher, fc_fail *fail);

typedef struct cli_stop_choice {
    fc_strings names, regions, instances;
    bool all;
    const char *scale_set, *selector; /* borrowed; NULL = any */
} cli_stop_choice;
typedef struct cli_stop_ack {
    const char *capture_name; /* borrowed for the call */
    const fc_status *status;
    bool acknowledged;
} cli_stop_ack;
/* `acknowledge` comes per instance capture; after a lost connection it may come twice for one. */
FC_MUST_USE fc_err
cli_rpc_stop(cli_session *session, const cli_stop_choice *choice, uint32_t wait_ms,
             void (*acknowledge)(const cli_stop_ack *ack, void *user), void *user, fc_fail *fail);

typedef struct cli_deleted {
    uint32_t instance_count, files_kept, files_deleted;
    bool done_before; /* by this very request, whose first answer was lost: files are not counted again */
    fc_strings unreachable;
} cli_deleted;
FC_MUST_USE fc_err
cli_rpc_delete(cli_session *session, const char *name, bool delete_files, bool stop_first,
               uint32_t timeout_ms, cli_deleted *ret, fc_fail *fail);

/* One file being read. Ends with on_end, exactly once, from the loop; then it is gone. */
typedef struct cli_read_ops {
    /* False gives up: on_end comes with FC_ERR_CANCELLED. `bytes` are lent. */
    bool (*on_data)(uint64_t offset, const void *bytes, size_t size, void *user);
    void (*on_end)(const fc_fail *how, void *user); /* how->err FC_OK = all was read */
} cli_read_ops;
typedef struct cli_read cli_read;
/* The session must have a connection. Borrows ops for ever. */
cli_read *
cli_rpc_read(cli_session *session, const char *capture_name, const cli_file *file, uint64_t offset,
             const cli_read_ops *ops, void *user);
void
cli_read_cancel(cli_read *read);

/* The stable JSON of a capture, with the reference service's names where it has them. New reference. */
json_t *
cli_capture_json(const cli_capture *capture);

#endif
