/* service.h: what the coordinator answers on its connections: the five services, and the life of a node's
 * link.
 *
 * The rpc_*.c files read requests, call the state modules and write answers; they decide nothing else.
 */
#ifndef CO_SERVICE_H
#define CO_SERVICE_H

#include "common/model/protocol.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"
#include "coordinator/coordinator.h"

typedef struct co_service {
    struct co *co;         /* borrowed */
    fc_tls *tls;           /* borrowed; NULL in tests */
    fc_rpc_server *server; /* borrowed; NULL before it listens */
} co_service;

/* For fc_rpc_options.services: *user* is the co_service. */
extern const fc_rpc_handler co_node_handlers[];
extern const size_t co_node_handler_count;
extern const fc_rpc_handler co_capture_handlers[];
extern const size_t co_capture_handler_count;
extern const fc_rpc_handler co_fleet_handlers[];
extern const size_t co_fleet_handler_count;
extern const fc_rpc_handler co_enrol_handlers[];
extern const size_t co_enrol_handler_count;
extern const fc_rpc_handler co_admission_handlers[];
extern const size_t co_admission_handler_count;

/* For fc_rpc_options.ops, with the co_service as the endpoint's user. */
extern const fc_rpc_conn_ops co_conn_ops;
/* How the state modules reach nodes. */
extern const co_link_ops co_rpc_link_ops;
/* The connection behind an instance's link. */
fc_rpc_conn *
co_link_conn(const void *link);
/* Whether the node behind an instance's link does this; the link must be there (instance->link != NULL). */
bool
co_link_can(const void *link, fc_feature feature);

/* ---- shared by the rpc_*.c files ---- */

/* The instance that speaks; NULL (and the call has failed) when it did not say Hello, or a newer connection
 * took over. */
co_instance *
co_speaker(fc_rpc_call *call, co_service *service);
/* "operator/alice" of whoever calls. Returns text. */
const char *
co_caller(const fc_rpc_call *call, char text[FC_PRINCIPAL_TEXT_SIZE]);
/* FC_ERR_INVALID for one that is too long to be kept. */
FC_MUST_USE fc_err
co_request_id_check(const char *id, fc_fail *fail);
/* The capture of that name; else the call fails and NULL comes back. */
co_capture *
co_want_capture(co_service *service, fc_rpc_call *call, const char *name);

/* A server stream whose messages are made one by one, as the reader takes them. */
typedef struct co_stream {
    co_service *service;
    fc_rpc_call *call;
    /* Sends the next message(s); false when there are no more. */
    bool (*next)(struct co_stream *stream);
    bool over;
    co_capture *capture;     /* held; for streams about one */
    co_capture **captures;   /* owned, held */
    co_instance **instances; /* owned; the registry's cursors are counted up */
    size_t count, at, inner;
} co_stream;
/* Heap object, freed with the call. */
co_stream *
co_stream_new(co_service *service, fc_rpc_call *call, bool (*next)(co_stream *stream));
void
co_stream_start(co_stream *stream);
/* Makes and starts one about the capture of that name, which it holds; the call fails when there is none. */
void
co_stream_capture(co_service *service, fc_rpc_call *call, const char *name, bool (*next)(co_stream *stream));

void
co_rpc_watch_capture(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
void
co_rpc_stop_captures(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
void
co_rpc_list_files(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
void
co_rpc_read_file(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
void
co_rpc_list_evidence(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
void
co_rpc_report_evidence(fc_rpc_call *call, const ProtobufCMessage *request, void *service);

#endif
