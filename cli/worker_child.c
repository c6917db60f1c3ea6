/* What a worker does once it is alone with its files. */
#include "cli/worker_wire.h"

#include "common/analysis/analyzer.h"
#include "common/analysis/guess.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEND_AT = 1 << 15 };

typedef struct child {
    int out;
    fc_buf unsent;
} child;

static void
send_all(child *self)
{
    /* A parent that is gone leaves nothing to say. */
    if (fc_file_write_all(self->out, fc_buf_bytes(&self->unsent), fc_buf_size(&self->unsent)) != FC_OK)
        _exit(1);
    fc_buf_clear(&self->unsent);
}

static void
put(child *self, cli_wire_kind kind, const void *first, size_t first_size, const void *rest, size_t rest_size)
{
    const uint32_t head[2] = {kind, (uint32_t)(first_size + rest_size)};
    fc_buf_append(&self->unsent, head, sizeof head);
    fc_buf_append(&self->unsent, first, first_size);
    fc_buf_append(&self->unsent, rest, rest_size);
    if (fc_buf_size(&self->unsent) >= SEND_AT)
        send_all(self);
}

static void
put_fail(child *self, const fc_fail *fail)
{
    const uint32_t err = fail->err;
    put(self, CLI_WIRE_FAIL, &err, sizeof err, fail->text, strlen(fail->text));
}

/* The end of a child: nothing is freed, nobody's atexit runs. */
__attribute__((noreturn)) static void
done(child *self)
{
    put(self, CLI_WIRE_DONE, NULL, 0, NULL, 0);
    send_all(self);
    _exit(0);
}

static void
enter(child *self, const int *fds, size_t count)
{
    fc_fail fail = {0};
    if (cli_worker_sandbox(fds, count, self->out, &fail) == FC_OK)
        return;
    put_fail(self, &fail);
    done(self);
}

/* ---- probe ---- */

/* The identity stands in the first section's comment; the time, in the first packet. Neither is far into the
 * file. */
static fc_err
look_into(child *self, uint32_t index, fc_input *input, fc_fail *fail)
{
    enum { BLOCKS_MAX = 64 };
    cli_wire_probe told = {.file = index, .first_ns = INT64_MAX};
    char identity[CLI_WIRE_IDENTITY_MAX] = "";
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        fc_input_event event;
        const fc_block *block;
        fc_err err = fc_input_next(input, &event, &block, fail);
        if (err != FC_OK)
            return err;
        if (event == FC_INPUT_SECTION && *identity == '\0' && block->comment != NULL &&
            strncmp(block->comment, "fleetcap capture ", 17) == 0 && strlen(block->comment) < sizeof identity)
            (void)strcpy(identity, block->comment);
        if (event == FC_INPUT_FRAME)
            told.first_ns = block->frame.unix_ns;
        if (event == FC_INPUT_FRAME || event == FC_INPUT_END)
            break;
    }
    put(self, CLI_WIRE_PROBE, &told, sizeof told, identity, strlen(identity));
    return FC_OK;
}

void
cli_worker_probe(const cli_worker_file *files, int *fds, size_t count, int out)
{
    child self = {.out = out};
    enter(&self, fds, count);
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        fc_input *input = NULL;
        fc_fail fail = {0};
        fc_err err = fc_input_open(fds[i], files[i].path, &input, &fail);
        /* A file that is corrupt right away says so again when it is analysed. */
        if (err == FC_OK && look_into(&self, (uint32_t)i, input, &fail) != FC_OK) {
            const cli_wire_probe told = {.file = (uint32_t)i, .first_ns = INT64_MAX};
            put(&self, CLI_WIRE_PROBE, &told, sizeof told, NULL, 0);
        }
        fc_input_free(input);
    }
    done(&self);
}

/* ---- analyse ---- */

/* Takes the tree. Lines that are too long for a message do not occur: every text in them is bounded. */
static void
put_json(child *self, cli_wire_kind kind, json_t *tree)
{
    char *text = json_dumps(tree, JSON_COMPACT);
    if (text != NULL && strlen(text) <= CLI_WIRE_SIZE_MAX)
        put(self, kind, text, strlen(text), NULL, 0);
    free(text);
    json_decref(tree);
}

static void
on_conversation(void *user, const fc_conversation_summary *summary)
{
    put_json(user, CLI_WIRE_CONVERSATION, fc_conversation_summary_to_json(summary));
}

static void
on_dns(void *user, const fc_dns_transaction *transaction)
{
    put_json(user, CLI_WIRE_DNS, fc_dns_transaction_to_json(transaction));
}

/* A file of another program need not say which side is local: its beginning is looked at for that. */
static void
guess_local(fc_analyzer *analyzer, fc_input *input)
{
    enum { LOOK_MAX = 4 << 20 };
    fc_fail ignored = {0};
    fc_guess guess = {0};
    fc_input_event event = FC_INPUT_SECTION;
    const fc_block *block;
    fc_input_look(input);
    while (event != FC_INPUT_END && fc_input_looked_bytes(input) < LOOK_MAX &&
           fc_input_next(input, &event, &block, &ignored) == FC_OK)
        if (event == FC_INPUT_FRAME && !fc_guess_frame(&guess, &block->frame))
            break;
    fc_input_rewind(input);
    for (uint8_t family = 4; family <= 6; family += 2) {
        fc_address local;
        if (fc_guess_local(&guess, family, &local))
            fc_analyzer_local_address(analyzer, &local);
    }
}

static bool
analyze_file(child *self, fc_analyzer *analyzer, const cli_worker_file *file, int fd, bool guess)
{
    fc_input *input = NULL;
    fc_fail fail = {0};
    fc_err err = fc_input_open(fd, file->path, &input, &fail);
    if (err != FC_OK) {
        put_fail(self, &fail);
        return false;
    }
    if (guess)
        guess_local(analyzer, input);
    err = fc_analyzer_input(analyzer, input, file->name, &fail);
    if (err != FC_OK)
        put_fail(self, &fail);
    if (fc_input_was_cut(input)) {
        char *note =
            fc_sprintf("%.200s was cut off in the middle of a packet; what is before it counts", file->path);
        put(self, CLI_WIRE_NOTE, note, strlen(note), NULL, 0);
        free(note);
    }
    fc_input_free(input);
    return true;
}

void
cli_worker_analyze(const cli_worker_job *job, int *fds, const cli_worker_wish *wish, int out)
{
    child self = {.out = out};
    enter(&self, fds, job->file_count);
    const fc_analysis_observer observer = {wish->conversations ? on_conversation : NULL,
                                           wish->dns ? on_dns : NULL};
    const fc_analyzer_options options = {
        .observer = wish->conversations || wish->dns ? &observer : NULL,
        .observer_user = &self,
    };
    fc_analyzer *analyzer = fc_analyzer_new(&options);
    for (size_t i = 0; i < wish->local_count; i++)
        fc_analyzer_local_address(analyzer, &wish->local[i]);
    bool any = false;
    for (size_t i = 0; i < job->file_count; i++)
        if (fds[i] >= 0) {
            bool guess = !any && wish->local_count == 0 && job->files[i].probe.identity == NULL;
            any = analyze_file(&self, analyzer, &job->files[i], fds[i], guess) || any;
        }
    if (any) {
        fc_buf packed = {0};
        fc_profile *profile = fc_profile_new();
        fc_analyzer_profile(analyzer, profile);
        fc_profile_pack(profile, &packed);
        put(&self, CLI_WIRE_PROFILE, fc_buf_bytes(&packed), fc_buf_size(&packed), NULL, 0);
        fc_analyzer_finish(analyzer);
    }
    done(&self);
}
