#include "common/analysis/state.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* Snap lengths from here on are other programs' way to say "all" (MAXIMUM_SNAPLEN of libpcap). */
enum { SNAPLEN_ALL = 262144 };

/* ---- identity ---- */

/* Copies what lies between `before` and `after` in *text, if the check likes it, and moves *text behind. The
 * text is a peer's. */
static bool
take_word(const char **text, const char *before, const char *after, bool (*check)(const char *text),
          char *ret_word, size_t size)
{
    size_t lead = strlen(before);
    if (strncmp(*text, before, lead) != 0)
        return false;
    const char *start = *text + lead;
    size_t length = strcspn(start, after);
    if (length == 0 || length >= size)
        return false;
    char word[FC_NAME_MAX + 1];
    memcpy(word, start, length);
    word[length] = '\0';
    if (!check(word))
        return false;
    memcpy(ret_word, word, length + 1);
    *text = start + length;
    return true;
}

/* "fleetcap capture NAME (UID), instance NAME (ID), scale set S, region R, …": what fleetcap-capture writes.
 */
static void
take_identity(fc_profile_subject *subject, const char *text)
{
    fc_profile_subject found = {0};
    if (!take_word(&text, "fleetcap capture ", " ", fc_name_check, found.capture_name,
                   sizeof found.capture_name) ||
        !take_word(&text, " (", ")", fc_uid_check, found.capture_uid, sizeof found.capture_uid) ||
        !take_word(&text, "), instance ", " ", fc_name_check, found.instance_name,
                   sizeof found.instance_name) ||
        !take_word(&text, " (", ")", fc_name_check, found.instance_id, sizeof found.instance_id))
        return;
    text++;
    (void)take_word(&text, ", scale set ", ",", fc_name_check, found.scale_set, sizeof found.scale_set);
    (void)take_word(&text, ", region ", ",", fc_name_check, found.region, sizeof found.region);
    memcpy(subject->capture_name, found.capture_name, sizeof found.capture_name);
    memcpy(subject->capture_uid, found.capture_uid, sizeof found.capture_uid);
    memcpy(subject->instance_name, found.instance_name, sizeof found.instance_name);
    memcpy(subject->instance_id, found.instance_id, sizeof found.instance_id);
    memcpy(subject->scale_set, found.scale_set, sizeof found.scale_set);
    memcpy(subject->region, found.region, sizeof found.region);
}

void
fc_subject_section(fc_analyzer *analyzer, const char *comment)
{
    if (comment != NULL && analyzer->profile->subject.instance_id[0] == '\0')
        take_identity(&analyzer->profile->subject, comment);
}

/* The name of a file, without directory and extensions, in the grammar of names. */
static void
name_from_file(const char *file, char ret_name[FC_NAME_MAX + 1])
{
    static const char *const packed[] = {".zst", ".gz"};
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    size_t length = strlen(base);
    for (size_t i = 0; i < FC_COUNT(packed); i++) {
        size_t tail = strlen(packed[i]);
        if (length > tail && memcmp(base + length - tail, packed[i], tail) == 0)
            length -= tail;
    }
    for (size_t i = length; i > 1; i--) {
        if (base[i - 1] == '.') {
            length = i - 1;
            break;
        }
    }
    size_t used = 0;
    for (size_t i = 0; i < length && used < FC_NAME_MAX; i++) {
        char c = base[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (used == 0 && !letter)
            continue;
        ret_name[used++] = letter || c == '.' || c == '_' || c == '-' ? c : '_';
    }
    ret_name[used] = '\0';
    if (used == 0)
        (void)snprintf(ret_name, FC_NAME_MAX + 1, "capture");
}

/* ---- interfaces ---- */

static void
add_interface_name(fc_profile_subject *subject, const char *name)
{
    char cut[sizeof subject->interfaces[0]];
    (void)snprintf(cut, sizeof cut, "%.*s", (int)sizeof cut - 1, name);
    for (size_t i = 0; i < subject->interface_count; i++)
        if (strcmp(subject->interfaces[i], cut) == 0)
            return;
    if (cut[0] != '\0' && subject->interface_count < FC_PROFILE_INTERFACES_MAX)
        memcpy(subject->interfaces[subject->interface_count++], cut, sizeof cut);
}

static void
add_interface_addresses(fc_profile *profile, const fc_capture_interface *interface)
{
    for (uint32_t i = 0; i < interface->ipv4_count; i++) {
        fc_address address = {.family = 4};
        memcpy(address.bytes, interface->ipv4[i], 4);
        fc_profile_add_local_address(profile, &address);
    }
    for (uint32_t i = 0; i < interface->ipv6_count; i++) {
        fc_address address = {.family = 6};
        memcpy(address.bytes, interface->ipv6[i], 16);
        fc_profile_add_local_address(profile, &address);
    }
}

void
fc_subject_interface(fc_analyzer *analyzer, const fc_capture_interface *interface)
{
    fc_profile_subject *subject = &analyzer->profile->subject;
    uint32_t snaplen = interface->snaplen_bytes >= SNAPLEN_ALL ? 0 : interface->snaplen_bytes;
    fc_subject_section(analyzer, interface->comment);
    add_interface_name(subject, interface->name);
    add_interface_addresses(analyzer->profile, interface);
    if (subject->filter == NULL && interface->filter != NULL)
        subject->filter = fc_strdup(interface->filter);
    if (snaplen != 0 && (subject->snaplen_bytes == 0 || snaplen < subject->snaplen_bytes))
        subject->snaplen_bytes = snaplen;
}

bool
fc_subject_is_local(const fc_analyzer *analyzer, const fc_address *address)
{
    const fc_profile_subject *subject = &analyzer->profile->subject;
    for (size_t i = 0; i < subject->local_address_count; i++)
        if (fc_address_compare(&subject->local_addresses[i], address) == 0)
            return true;
    return false;
}

/* ---- statistics ---- */

/* The files of one capture repeat the statistics of the program's whole life; a program that was started
 * again counts from 0. */
static fc_capture_life *
life_of(fc_analyzer *analyzer, const fc_capture_interface *interface, const fc_capture_statistics *statistics)
{
    char name[FC_ANALYZER_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s", interface != NULL ? interface->name : "");
    for (size_t i = 0; i < analyzer->life_count; i++) {
        fc_capture_life *life = &analyzer->lives[i];
        if (life->index == statistics->interface && life->start_ns == statistics->start_ns &&
            strcmp(life->name, name) == 0)
            return life;
    }
    if (analyzer->life_count == FC_ANALYZER_LIVES_MAX)
        return NULL;
    fc_capture_life *life = &analyzer->lives[analyzer->life_count++];
    *life = (fc_capture_life){.index = statistics->interface, .start_ns = statistics->start_ns};
    memcpy(life->name, name, sizeof name);
    return life;
}

static void
keep_largest(uint64_t *value, bool is_told, uint64_t told)
{
    if (is_told && told > *value)
        *value = told;
}

void
fc_subject_statistics(fc_analyzer *analyzer, const fc_capture_interface *interface,
                      const fc_capture_statistics *statistics)
{
    fc_profile_subject *subject = &analyzer->profile->subject;
    fc_capture_life *life = life_of(analyzer, interface, statistics);
    if (life != NULL) {
        keep_largest(&life->matched, statistics->has_received, statistics->received);
        keep_largest(&life->dropped, statistics->has_os_dropped, statistics->os_dropped);
        keep_largest(&life->interface_dropped, statistics->has_interface_dropped,
                     statistics->interface_dropped);
    }
    if (statistics->start_ns > 0 && (subject->start_ns == 0 || statistics->start_ns < subject->start_ns))
        subject->start_ns = statistics->start_ns;
    if (statistics->end_ns > subject->end_ns)
        subject->end_ns = statistics->end_ns;
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void
fc_subject_finish(const fc_analyzer *analyzer, fc_profile *profile)
{
    uint64_t *counters = profile->counters;
    for (size_t i = 0; i < analyzer->life_count; i++) {
        const fc_capture_life *life = &analyzer->lives[i];
        counters[FC_COUNTER_CAPTURE_MATCHED] = sum(counters[FC_COUNTER_CAPTURE_MATCHED], life->matched);
        counters[FC_COUNTER_CAPTURE_DROPPED] = sum(counters[FC_COUNTER_CAPTURE_DROPPED], life->dropped);
        counters[FC_COUNTER_CAPTURE_INTERFACE_DROPPED] =
            sum(counters[FC_COUNTER_CAPTURE_INTERFACE_DROPPED], life->interface_dropped);
    }
    if (profile->subject.instance_name[0] == '\0')
        name_from_file(analyzer->file_name != NULL ? analyzer->file_name : "",
                       profile->subject.instance_name);
}
