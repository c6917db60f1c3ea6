/* facts.c: the facts of a context, made comparable: what is naturally an instance's own is taken out of them.
 *
 * An own address becomes "<self>", an address of an own network "<net>+5" (so that the gateway at .1 is the
 * same everywhere), an own network "<net>/24", its name "<name>".
 */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NETWORKS_MAX = 64, PLAIN_MAX = 1024 };

typedef struct own_network {
    fc_address address; /* the instance's, in it */
    unsigned prefix;
} own_network;

typedef struct own {
    own_network networks[NETWORKS_MAX];
    size_t count;
    const char *name; /* borrowed; NULL = none */
} own;

static void
own_add(own *self, const fc_address *address, unsigned prefix)
{
    for (size_t i = 0; i < self->count; i++)
        if (fc_address_compare(&self->networks[i].address, address) == 0) {
            if (prefix < self->networks[i].prefix)
                self->networks[i].prefix = prefix;
            return;
        }
    if (self->count < NETWORKS_MAX && !fc_address_is_loopback(address))
        self->networks[self->count++] = (own_network){*address, prefix};
}

static unsigned
address_bits(const fc_address *address)
{
    return address->family == 4 ? 32 : 128;
}

static bool
bit_of(const fc_address *address, unsigned bit)
{
    return (address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

/* The rest of an address behind the network's bits, 0 when it does not fit. */
static uint64_t
host_part(const fc_address *address, unsigned prefix)
{
    uint64_t value = 0;
    for (unsigned bit = prefix; bit < address_bits(address); bit++)
        value = value << 1 | bit_of(address, bit);
    return value;
}

static bool
in_network(const fc_address *address, const own_network *network)
{
    if (address->family != network->address.family || network->prefix > address_bits(address))
        return false;
    for (unsigned bit = 0; bit < network->prefix; bit++)
        if (bit_of(address, bit) != bit_of(&network->address, bit))
            return false;
    return true;
}

/* The facts of the ADDRESS section: "10.0.0.7/24 scope global" or the like, in the key or the value. */
static void
own_add_text(own *self, const char *text)
{
    char host[FC_ADDRESS_TEXT];
    for (const char *at = text; *at != '\0';) {
        size_t word = strcspn(at, " "), host_length = 0;
        fc_address address;
        while (host_length < word && at[host_length] != '/')
            host_length++;
        if (host_length > 0 && host_length < sizeof host) {
            memcpy(host, at, host_length);
            host[host_length] = '\0';
            if (fc_address_parse(host, &address)) {
                unsigned prefix = host_length < word ? (unsigned)strtoul(at + host_length + 1, NULL, 10)
                                                     : address_bits(&address);
                own_add(self, &address, prefix <= address_bits(&address) ? prefix : address_bits(&address));
            }
        }
        at += word;
        at += *at == ' ';
    }
}

static void
own_learn(own *self, const fc_instance_features *features, const fc_compare_instance *instance)
{
    const fc_context *contexts[] = {instance->context_start, instance->context_stop};
    for (size_t c = 0; c < FC_COUNT(contexts); c++)
        for (size_t i = 0; contexts[c] != NULL && i < contexts[c]->fact_count; i++)
            if (contexts[c]->facts[i].section == FC_SECTION_ADDRESS) {
                own_add_text(self, contexts[c]->facts[i].key);
                own_add_text(self, contexts[c]->facts[i].value);
            }
    for (size_t i = 0; i < features->subject.local_address_count && i < FC_PROFILE_ADDRESSES_MAX; i++)
        own_add(self, &features->subject.local_addresses[i],
                address_bits(&features->subject.local_addresses[i]));
    self->name = instance->name != NULL && *instance->name != '\0' ? instance->name : NULL;
}

/* ---- taking it out of texts ---- */

static bool
is_address_character(char c)
{
    return isxdigit((unsigned char)c) || c == '.' || c == ':';
}

/* One word that may be an address, with a /prefix behind it. False: it is none of the instance's own. */
static bool
put_own_address(fc_buf *out, const own *self, const char *word, size_t length, const char *after)
{
    char host[FC_ADDRESS_TEXT];
    fc_address address;
    if (length == 0 || length >= sizeof host)
        return false;
    memcpy(host, word, length);
    host[length] = '\0';
    if (!fc_address_parse(host, &address))
        return false;
    for (size_t i = 0; i < self->count; i++)
        if (fc_address_compare(&self->networks[i].address, &address) == 0) {
            fc_buf_printf(out, "<self>");
            return true;
        }
    for (size_t i = 0; i < self->count; i++) {
        if (!in_network(&address, &self->networks[i]))
            continue;
        uint64_t rest = host_part(&address, self->networks[i].prefix);
        if (rest == 0 && *after == '/')
            fc_buf_printf(out, "<net>");
        else
            fc_buf_printf(out, "<net>+%llu", (unsigned long long)rest);
        return true;
    }
    return false;
}

/* text: of the pool. */
static const char *
plain_text(const own *self, const char *text, fc_pool *pool, fc_buf *scratch)
{
    if (text == NULL)
        return NULL;
    size_t name_length = self->name != NULL ? strlen(self->name) : 0;
    if (!fc_pool_may_have_address(text) && (name_length == 0 || strstr(text, self->name) == NULL))
        return text;
    fc_buf_clear(scratch);
    for (const char *at = text; *at != '\0' && fc_buf_size(scratch) < PLAIN_MAX;) {
        size_t length = 0;
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        while (begins && is_address_character(at[length]))
            length++;
        if (length > 1 && at[length - 1] == ':')
            length--;
        /* "10.0.0.7:80": the port is not part of the address. */
        const char *colon = length > 0 ? memchr(at, ':', length) : NULL;
        if (colon != NULL && memchr(at, '.', length) != NULL)
            length = (size_t)(colon - at);
        if (length > 0 && put_own_address(scratch, self, at, length, at + length)) {
            at += length;
        } else if (begins && name_length > 0 && strncmp(at, self->name, name_length) == 0 &&
                   !isalnum((unsigned char)at[name_length])) {
            fc_buf_printf(scratch, "<name>");
            at += name_length;
        } else {
            fc_buf_append(scratch, at, length > 0 ? length : 1);
            at += length > 0 ? length : 1;
        }
    }
    return fc_pool_text(pool, fc_buf_text(scratch));
}

/* ---- both snapshots into one list ---- */

typedef struct snapshot_fact {
    fc_section section;
    const char *key, *value; /* borrowed from the pool */
} snapshot_fact;

static int
compare_facts(const void *a, const void *b)
{
    const snapshot_fact *x = a, *y = b;
    if (x->section != y->section)
        return x->section < y->section ? -1 : 1;
    int order = x->key == y->key ? 0 : strcmp(x->key, y->key);
    return order != 0 ? order : strcmp(x->value, y->value);
}

/* The key without what differs by history alone: the handle of a firewall rule, its last word. */
static void
put_key(fc_buf *out, const fc_context_fact *fact)
{
    const char *end = NULL;
    if (fact->section == FC_SECTION_FIREWALL || fact->section == FC_SECTION_FIREWALL_COUNTER)
        end = strrchr(fact->key, ' ');
    if (end != NULL && end[1 + strspn(end + 1, "0123456789")] != '\0')
        end = NULL;
    fc_buf_append(out, fact->key, end != NULL ? (size_t)(end - fact->key) : strlen(fact->key));
}

/* Counters that count nothing bad are left out: there are hundreds, all different, and none is compared. */
static bool
counts_errors(fc_section section, const char *key)
{
    static const char *const words[] = {"err",     "drop",   "fail", "miss",     "overrun", "collision",
                                        "Err",     "Drop",   "Fail", "Overflow", "Abort",   "Retrans",
                                        "Timeout", "Pruned", "Bad",  "NoPorts",  "NoRoute"};
    if (section == FC_SECTION_FIREWALL_COUNTER)
        return true;
    for (size_t i = 0; i < FC_COUNT(words); i++)
        if (strstr(key, words[i]) != NULL)
            return true;
    return false;
}

/* Sorted; of keys with several values one with all of them, unless the section's elements are key and value.
 */
static snapshot_fact *
take_snapshot(const fc_context *context, fc_pool *pool, size_t *ret_count)
{
    fc_buf text = {0};
    size_t count = 0, kept = 0;
    snapshot_fact *facts = fc_alloc_array((context != NULL ? context->fact_count : 0) + 1, sizeof *facts);
    for (size_t i = 0; context != NULL && i < context->fact_count; i++) {
        const fc_context_fact *fact = &context->facts[i];
        if ((unsigned)fact->section >= FC_SECTION_COUNT || fact->key == NULL || fact->value == NULL ||
            (fc_section_names[fact->section].compare == FC_COMPARE_COUNTER &&
             !counts_errors(fact->section, fact->key)))
            continue;
        fc_buf_clear(&text);
        put_key(&text, fact);
        if (fc_fact_rules[fact->section].elements && *fact->value != '\0')
            fc_buf_printf(&text, ": %s", fact->value);
        facts[count++] =
            (snapshot_fact){fact->section, fc_pool_text(pool, fc_buf_text(&text)),
                            fc_fact_rules[fact->section].elements ? fc_pool_text(pool, "there")
                                                                  : fc_pool_text(pool, fact->value)};
    }
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = compare_facts(&facts[i - 1], &facts[i]) <= 0;
    if (!sorted)
        qsort(facts, count, sizeof *facts, compare_facts);
    for (size_t i = 0; i < count; i++) {
        snapshot_fact *last = kept > 0 ? &facts[kept - 1] : NULL;
        if (last == NULL || last->section != facts[i].section || last->key != facts[i].key) {
            facts[kept++] = facts[i];
        } else if (last->value != facts[i].value && strlen(last->value) < PLAIN_MAX) {
            fc_buf_clear(&text);
            fc_buf_printf(&text, "%s | %s", last->value, facts[i].value);
            last->value = fc_pool_text(pool, fc_buf_text(&text));
        }
    }
    fc_buf_fini(&text);
    *ret_count = kept;
    return facts;
}

static void
note_unreadable(fc_instance_features *features, const fc_context *context)
{
    for (size_t i = 0; context != NULL && i < context->unreadable_count; i++)
        for (unsigned section = 0; section < FC_SECTION_COUNT; section++) {
            size_t length = strlen(fc_section_names[section].name);
            const char *text = context->unreadable[i];
            if (strncmp(text, fc_section_names[section].name, length) == 0 &&
                !isalnum((unsigned char)text[length]))
                features->unreadable |= 1U << section;
        }
    if (context != NULL && context->left_out > 0)
        features->unreadable = UINT32_MAX;
}

void
fc_features_take_facts(fc_instance_features *features, const fc_compare_instance *instance, fc_pool *pool)
{
    const fc_context *start = instance->context_start, *stop = instance->context_stop;
    if (start == NULL && stop == NULL)
        return;
    features->has_context = true;
    features->context_start_ns = start != NULL ? start->at.ns : 0;
    features->context_stop_ns = stop != NULL ? stop->at.ns : 0;
    note_unreadable(features, start);
    note_unreadable(features, stop);
    own *self = FC_NEW(own);
    own_learn(self, features, instance);
    size_t first_count, last_count, i = 0, j = 0;
    snapshot_fact *first = take_snapshot(start != NULL ? start : stop, pool, &first_count);
    snapshot_fact *last = take_snapshot(stop != NULL ? stop : start, pool, &last_count);
    features->facts = fc_alloc_array(first_count + last_count + 1, sizeof *features->facts);
    fc_buf scratch = {0};
    while (i < first_count || j < last_count) {
        int order = i == first_count ? 1 : j == last_count ? -1 : 0;
        if (order == 0) {
            snapshot_fact a = first[i], b = last[j];
            a.value = b.value = "";
            order = compare_facts(&a, &b);
        }
        const snapshot_fact *a = order <= 0 ? &first[i++] : NULL, *b = order >= 0 ? &last[j++] : NULL;
        const snapshot_fact *any = a != NULL ? a : b;
        fc_feature_fact *fact = &features->facts[features->fact_count++];
        *fact = (fc_feature_fact){.section = any->section,
                                  .key = any->key,
                                  .start = a != NULL ? a->value : NULL,
                                  .stop = b != NULL ? b->value : NULL};
        fact->plain_key = plain_text(self, fact->key, pool, &scratch);
        fact->plain_start = plain_text(self, fact->start, pool, &scratch);
        fact->plain_stop =
            fact->stop == fact->start ? fact->plain_start : plain_text(self, fact->stop, pool, &scratch);
    }
    fc_buf_fini(&scratch);
    free(first);
    free(last);
    free(self);
}
