#include "cli/worker_wire.h"

#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <stdlib.h>
#include <string.h>

static fc_err
nonsense(cli_wire_reader *from, const char *what)
{
    return fc_fail_set(&from->fail, FC_ERR_PROTOCOL, "%.150s: the process that read it sent %s",
                       from->files[0].path, what);
}

static fc_err
take_probe(cli_wire_reader *from, const uint8_t *data, size_t size)
{
    cli_wire_probe told;
    if (from->job != NULL || size < sizeof told || size - sizeof told >= CLI_WIRE_IDENTITY_MAX)
        return nonsense(from, "a probe that cannot be");
    memcpy(&told, data, sizeof told);
    if (told.file >= from->file_count || from->files[told.file].probe.known)
        return nonsense(from, "a probe that cannot be");
    cli_probe *probe = &from->files[told.file].probe;
    probe->known = true;
    probe->first_ns = told.first_ns;
    if (size > sizeof told)
        probe->identity = fc_strndup((const char *)data + sizeof told, size - sizeof told);
    return FC_OK;
}

static fc_err
take_profile(cli_wire_reader *from, const uint8_t *data, size_t size)
{
    fc_profile *profile = NULL;
    if (from->job == NULL || fc_buf_size(&from->job->profile) > 0)
        return nonsense(from, "a profile that was not asked for");
    fc_err err = fc_profile_unpack(data, size, &profile, &from->fail);
    if (err != FC_OK)
        return err;
    fc_profile_free(profile);
    fc_buf_append(&from->job->profile, data, size);
    return FC_OK;
}

static fc_err
take_json(cli_wire_reader *from, json_t *list, const uint8_t *data, size_t size)
{
    json_t *tree = list != NULL ? json_loadb((const char *)data, size, 0, NULL) : NULL;
    if (!json_is_object(tree)) {
        json_decref(tree);
        return nonsense(from, "a line that is no JSON");
    }
    json_array_append_new(list, tree);
    return FC_OK;
}

static fc_err
take_fail(cli_wire_reader *from, const uint8_t *data, size_t size)
{
    uint32_t err;
    if (size < sizeof err)
        return nonsense(from, "half an error");
    memcpy(&err, data, sizeof err);
    fc_fail *fail = from->job != NULL ? &from->job->fail : &from->fail;
    if (err == FC_OK || err > FC_ERR_INTERNAL)
        return nonsense(from, "an error that there is not");
    if (fail->err == FC_OK)
        (void)fc_fail_set(fail, (fc_err)err, "%.*s", (int)(size - sizeof err),
                          (const char *)data + sizeof err);
    return FC_OK;
}

static fc_err
take_note(cli_wire_reader *from, const uint8_t *data, size_t size)
{
    if (from->job == NULL || from->job->notes.count > from->job->file_count)
        return nonsense(from, "more notes than files");
    char *text = fc_strndup((const char *)data, size);
    fc_strings_add(&from->job->notes, text);
    free(text);
    return FC_OK;
}

static fc_err
take_message(cli_wire_reader *from, uint32_t kind, const uint8_t *data, size_t size)
{
    cli_worker_job *job = from->job;
    switch (kind) {
    case CLI_WIRE_PROBE:
        return take_probe(from, data, size);
    case CLI_WIRE_PROFILE:
        return take_profile(from, data, size);
    case CLI_WIRE_CONVERSATION:
        return take_json(from, job != NULL ? job->conversations : NULL, data, size);
    case CLI_WIRE_DNS:
        return take_json(from, job != NULL ? job->dns : NULL, data, size);
    case CLI_WIRE_NOTE:
        return take_note(from, data, size);
    case CLI_WIRE_FAIL:
        return take_fail(from, data, size);
    case CLI_WIRE_DONE:
        from->done = true;
        return FC_OK;
    default:
        return nonsense(from, "a message of no kind");
    }
}

static fc_err
take_messages(cli_wire_reader *from)
{
    uint32_t head[2];
    fc_err err = FC_OK;
    while (err == FC_OK && fc_buf_size(&from->unread) >= sizeof head) {
        memcpy(head, fc_buf_bytes(&from->unread), sizeof head);
        if (head[1] > CLI_WIRE_SIZE_MAX)
            return nonsense(from, "a message that is too long");
        if (fc_buf_size(&from->unread) < sizeof head + head[1])
            break;
        err = take_message(from, head[0], fc_buf_bytes(&from->unread) + sizeof head, head[1]);
        fc_buf_consume(&from->unread, sizeof head + head[1]);
    }
    return err;
}

fc_err
cli_wire_take(cli_wire_reader *from, const void *bytes, size_t size)
{
    fc_buf_append(&from->unread, bytes, size);
    from->total += size;
    if (from->total > CLI_WIRE_TOTAL_MAX)
        return nonsense(from, "more than can be held: take a smaller file, or leave out the lists");
    return take_messages(from);
}
