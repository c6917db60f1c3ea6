/* fleetcap capture watch */
#include "cli/capture_view.h"
#include "cli/capture_wait.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 500, HEADER_LINES = 4 };

typedef struct watching {
    cli_run *run;
    cli_statuses statuses;
    size_t lines; /* on the terminal, to be written over */
} watching;

/* The screen as one text: so many instances as there is room for, the worst first. */
static void
draw(watching *w, const cli_capture *capture)
{
    const cli_out *out = &w->run->out;
    fc_buf screen = {0}, hidden = {0};
    char *states = cli_states_text(capture), *drops = cli_drops_text(&capture->totals);
    char size[FC_SIZE_TEXT], until[FC_TIME_TEXT_SIZE];
    /* Back to the first line, and erase what is below it (ECMA-48, CPL and ED). */
    if (w->lines > 0)
        fc_buf_printf(&screen, "\033[%zuF\033[J", w->lines);
    size_t before = fc_buf_size(&screen);
    fc_buf_printf(&screen, "%s: %s\n", capture->name, states);
    fc_buf_printf(&screen, "%" PRIu64 " packets, %s, dropped: %s, until %s\n\n",
                  capture->totals.written_packets, fc_size_text(capture->totals.written_bytes, size), drops,
                  fc_wall_text(capture->window_end, until));
    cli_statuses_sort(&w->statuses);
    cli_statuses shown = w->statuses;
    size_t room = out->height > HEADER_LINES + 2 ? out->height - HEADER_LINES - 2 : 1;
    shown.count = shown.count < room ? shown.count : room;
    cli_table *table = cli_statuses_table(&shown, NULL, false);
    cli_table_text(table, out->width, out->color, &screen, &hidden);
    cli_table_free(table);
    if (shown.count < w->statuses.count)
        fc_buf_printf(&screen, "and %zu more instances\n", w->statuses.count - shown.count);
    w->lines = 0;
    for (size_t i = before; i < fc_buf_size(&screen); i++)
        w->lines += fc_buf_bytes(&screen)[i] == '\n';
    cli_out_write(&screen);
    fc_buf_fini(&screen);
    fc_buf_fini(&hidden);
    free(states);
    free(drops);
}

static void
print_changes(const fc_status *changed, size_t count, fc_buf *text)
{
    for (size_t i = 0; i < count; i++) {
        char *said = cli_status_text(&changed[i]);
        fc_buf_printf(text, "%-8s %s\n", changed[i].instance_name, said);
        free(said);
    }
}

static void
print_rows(const fc_status *changed, size_t count, bool with_header, fc_buf *text)
{
    cli_statuses list = {.items = (fc_status *)changed, .count = count};
    cli_table *table = cli_statuses_table(&list, NULL, true);
    fc_buf rows = {0};
    cli_table_tsv(table, &rows);
    const char *lines = fc_buf_text(&rows);
    fc_buf_printf(text, "%s", with_header ? lines : lines + strcspn(lines, "\n") + 1);
    fc_buf_fini(&rows);
    cli_table_free(table);
}

static bool
on_event(cli_capture *capture, const fc_status *changed, size_t count, void *user)
{
    watching *w = user;
    const cli_out *out = &w->run->out;
    bool first = w->statuses.count == 0;
    fc_buf text = {0};
    for (size_t i = 0; i < count; i++)
        cli_statuses_put(&w->statuses, &changed[i]);
    if (out->format == CLI_JSON) {
        cli_statuses list = {.items = (fc_status *)changed, .count = count};
        cli_out_json(cli_capture_whole_json(capture, &list, NULL), true);
    } else if (out->format == CLI_TSV)
        print_rows(changed, count, first, &text);
    else if (out->out_is_tty && out->width > 0)
        draw(w, capture);
    else
        print_changes(changed, count, &text);
    if (fc_buf_size(&text) > 0)
        cli_out_write(&text);
    fc_buf_fini(&text);
    return !cli_goal_reached(CLI_GOAL_STOPPED, &w->statuses, capture->instance_count);
}

fc_err
cli_capture_watch(cli_run *run, fc_fail *fail)
{
    const char *name = NULL;
    uint32_t timeout_ms = 0;
    watching w = {.run = run};
    cli_watcher watcher = {on_event, &w};
    fc_err err = cli_name_of(&run->args, &name, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, 0, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_watch(run->session, name, INTERVAL_MS, timeout_ms, &watcher, fail);
    if (err == FC_ERR_CANCELLED)
        err = cli_goes_on(name, fail);
    if (err == FC_OK) {
        fc_buf remarks = {0};
        if (run->out.format == CLI_TABLE)
            cli_statuses_remarks(&w.statuses, &remarks);
        cli_out_write(&remarks);
        fc_buf_fini(&remarks);
        err = cli_failed_instances(name, &w.statuses, fail);
    }
    cli_statuses_fini(&w.statuses);
    return err;
}
