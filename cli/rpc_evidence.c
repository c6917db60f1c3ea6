#include "cli/rpc_evidence.h"

#include "cli/answers.h"

#include <fleetcap/v1/capture_service.pb-c.h>
#include <stdio.h>
#include <string.h>

typedef struct teller {
    void (*each)(const cli_evidence *evidence, void *user);
    void *user; /* borrowed */
} teller;

static cli_bytes
bytes_of(const ProtobufCBinaryData *bytes)
{
    return (cli_bytes){bytes->data, bytes->len};
}

static fc_err
read_evidence(const Fcpb__InstanceEvidence *message, cli_evidence *evidence, fc_fail *fail)
{
    if (message->instance == NULL)
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator sent evidence of no instance");
    fc_err err = fc_status_from_pb(message->instance, &evidence->status, fail);
    if (err != FC_OK)
        return err;
    for (size_t i = 0; i < message->n_labels; i++)
        fc_labels_set(&evidence->labels, message->labels[i]->key, message->labels[i]->value);
    if (fc_name_check(message->zone))
        (void)snprintf(evidence->zone, sizeof evidence->zone, "%s", message->zone);
    evidence->clock_offset_ns = message->clock_offset_ns;
    evidence->clock_bound_ns = message->clock_bound_ns;
    if (message->evidence == NULL)
        return FC_OK;
    evidence->profile = bytes_of(&message->evidence->profile);
    evidence->context_start = bytes_of(&message->evidence->context_start);
    evidence->context_stop = bytes_of(&message->evidence->context_stop);
    evidence->revision = message->evidence->revision;
    return FC_OK;
}

static bool
take_evidence(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    const teller *to = answers->into;
    cli_evidence evidence = {0};
    answers->err = read_evidence((const Fcpb__InstanceEvidence *)answer, &evidence, &answers->fail);
    if (answers->err == FC_OK)
        to->each(&evidence, to->user);
    fc_labels_fini(&evidence.labels);
    fc_status_fini(&evidence.status);
    return answers->err == FC_OK;
}

fc_err
cli_rpc_evidence(cli_session *session, const char *name, uint32_t timeout_ms,
                 void (*each)(const cli_evidence *evidence, void *user), void *user, fc_fail *fail)
{
    Fcpb__ListEvidenceRequest message = FCPB__LIST_EVIDENCE_REQUEST__INIT;
    message.name = (char *)name;
    teller to = {each, user};
    cli_answers answers = {.into = &to};
    cli_request request = {.method = FC_METHOD_LIST_EVIDENCE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_evidence,
                           .repeatable = true};
    return cli_answers_gather(session, request, &answers, fail);
}
