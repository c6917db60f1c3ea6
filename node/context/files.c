/* Resolver and hosts files, and the state of the clock. */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

enum { HOSTS_MAX = 128, WORDS_MAX = 16 };

/* Cuts a line into words at white space, up to a comment. */
static size_t
split(char *line, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \t\r", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r", &rest)) {
        if (*word == '#' || *word == ';')
            break;
        words[count++] = word;
    }
    return count;
}

/* Words from the second one on, with blanks between. */
static void
join(char *const *words, size_t count, char *text, size_t size)
{
    size_t length = 0;
    *text = '\0';
    for (size_t i = 1; i < count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 1 ? " " : "", words[i]);
}

/* ---- resolv.conf(5) ---- */

void
nd_context_parse_resolver(const char *text, const char *prefix, fc_context *context)
{
    char *copy = fc_strdup(text), *rest = NULL, *words[WORDS_MAX], key[64], value[FC_CONTEXT_VALUE_MAX + 1];
    unsigned servers = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        size_t count = split(line, words);
        if (count < 2)
            continue;
        join(words, count, value, sizeof value);
        if (strcmp(words[0], "nameserver") == 0)
            (void)snprintf(key, sizeof key, "%snameserver %u", prefix, ++servers);
        else if (strcmp(words[0], "search") == 0 || strcmp(words[0], "domain") == 0)
            (void)snprintf(key, sizeof key, "%ssearch", prefix);
        else if (strcmp(words[0], "options") == 0 || strcmp(words[0], "sortlist") == 0)
            (void)snprintf(key, sizeof key, "%s%s", prefix, words[0]);
        else
            continue;
        fc_context_add(context, FC_SECTION_RESOLVER, key, value);
    }
    free(copy);
}

void
nd_context_read_resolver(fc_context *context)
{
    char *text = nd_context_read_file("/etc/resolv.conf");
    if (text == NULL) {
        fc_context_add_unreadable(context, FC_SECTION_RESOLVER, strerror(errno));
        return;
    }
    nd_context_parse_resolver(text, "", context);
    if (strstr(text, "127.0.0.53") !=
        NULL) { /* the stub of systemd-resolved(8): who it asks is what matters */
        char *upstream = nd_context_read_file("/run/systemd/resolve/resolv.conf");
        if (upstream != NULL)
            nd_context_parse_resolver(upstream, "upstream ", context);
        free(upstream);
    }
    free(text);
}

/* ---- hosts(5), nsswitch.conf(5) ---- */

void
nd_context_parse_hosts(const char *text, fc_context *context)
{
    char *copy = fc_strdup(text), *rest = NULL, *words[WORDS_MAX];
    unsigned entries = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL && entries < HOSTS_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t count = split(line, words);
        if (count < 2 || strncmp(words[0], "127.", 4) == 0 || strcmp(words[0], "::1") == 0 ||
            strncasecmp(words[0], "ff0", 3) == 0 || strcasecmp(words[0], "fe00::0") == 0)
            continue; /* every machine's own names */
        for (size_t i = 1; i < count && entries < HOSTS_MAX; i++, entries++)
            fc_context_add(context, FC_SECTION_HOST, words[i], words[0]);
    }
    free(copy);
}

static void
read_name_services(fc_context *context)
{
    char *text = nd_context_read_file("/etc/nsswitch.conf"), *rest = NULL, *words[WORDS_MAX];
    char value[FC_CONTEXT_VALUE_MAX + 1];
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t count = split(line, words);
        if (count < 2 || strcmp(words[0], "hosts:") != 0)
            continue;
        join(words, count, value, sizeof value);
        fc_context_add(context, FC_SECTION_HOST, "nsswitch hosts", value);
    }
    free(text);
}

void
nd_context_read_hosts(fc_context *context)
{
    char *text = nd_context_read_file("/etc/hosts");
    if (text != NULL)
        nd_context_parse_hosts(text, context);
    else
        fc_context_add_unreadable(context, FC_SECTION_HOST, strerror(errno));
    free(text);
    read_name_services(context);
}

/* ---- the clock ---- */

void
nd_context_read_clock(fc_context *context)
{
    struct timex clock = {0}; /* modes 0: only reads; adjtimex(2) */
    int state = adjtimex(&clock);
    if (state >= 0) {
        fc_context_add(context, FC_SECTION_CLOCK, "synchronised",
                       state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0 ? "no" : "yes");
        fc_context_add(context, FC_SECTION_CLOCK, "leap second",
                       state == TIME_INS   ? "insert"
                       : state == TIME_DEL ? "delete"
                                           : "none");
    } else {
        fc_context_add_unreadable(context, FC_SECTION_CLOCK, strerror(errno));
    }
    char *source = nd_context_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if (source != NULL) {
        source[strcspn(source, "\n")] = '\0';
        fc_context_add(context, FC_SECTION_CLOCK, "source", source);
    }
    free(source);
}
