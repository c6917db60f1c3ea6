#include "coordinator/enrolment.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum {
    SEEN_MAX = 100000, /* that wait for the store */
    DAY_S = 24 * 3600,
    KEPT_S = 7 * DAY_S,        /* tokens and enrolments that are over: for whoever asks what happened */
    WAITING_S = 30 * DAY_S,    /* nobody decided for so long */
    CERTIFICATE_KEPT_S = 3600, /* after its end, for clocks that differ */
    REMOVED_S = 3650 * DAY_S,  /* as long as a CA lives (FC_PKI_CA_DAYS): no certificate outlives it */
    CRL_SKEW_S = 300,          /* how far in the past a list begins */
};

/* A certificate that a connection was opened with. */
struct co_seen {
    co_certificate_row row;
    UT_hash_handle hh; /* by serial */
};

// clang-format off
#define STATE(name) [CO_ENROLMENT_##name]
#define EVENT(name, to, effect) [CO_ENROLMENT_##name] = {CO_ENROLMENT_##to, CO_ENROLMENT_##effect}
static const co_enrolment_step steps[CO_ENROLMENT_STATES][CO_ENROLMENT_EVENTS] = {
    /*         event      to        effect */
    STATE(NONE) = {
        EVENT(ASK,       ISSUED,   ISSUE),
        EVENT(ASK_GATED, PENDING,  WAIT),
        EVENT(APPROVE,   NONE,     REFUSE),
        EVENT(DENY,      NONE,     REFUSE)},
    STATE(PENDING) = {
        EVENT(ASK,       PENDING,  WAIT),
        EVENT(ASK_GATED, PENDING,  WAIT),
        EVENT(APPROVE,   APPROVED, RECORD),
        EVENT(DENY,      DENIED,   RECORD)},
    STATE(APPROVED) = {
        EVENT(ASK,       ISSUED,   ISSUE),
        EVENT(ASK_GATED, ISSUED,   ISSUE),
        EVENT(APPROVE,   APPROVED, KEEP),
        EVENT(DENY,      DENIED,   RECORD)},
    STATE(ISSUED) = {
        EVENT(ASK,       ISSUED,   REPEAT),
        EVENT(ASK_GATED, ISSUED,   REPEAT),
        EVENT(APPROVE,   ISSUED,   KEEP),
        EVENT(DENY,      ISSUED,   REFUSE)},
    STATE(DENIED) = {
        EVENT(ASK,       DENIED,   REFUSE),
        EVENT(ASK_GATED, DENIED,   REFUSE),
        EVENT(APPROVE,   DENIED,   REFUSE),
        EVENT(DENY,      DENIED,   KEEP)},
};
#undef STATE
#undef EVENT
// clang-format on

co_enrolment_step
co_enrolment_next(co_enrolment_state from, co_enrolment_event event)
{
    return steps[from][event];
}

fc_err
co_enrolment_check_on(const struct co *co, fc_fail *fail)
{
    return co->enrolment.issuer != NULL
               ? FC_OK
               : fc_fail_set(fail, FC_ERR_STATE, "this coordinator has no ca_key: enrolment is off");
}

/* ---- the revocation list ---- */

typedef struct crl_entries {
    fc_crl_entry *items; /* owned */
    size_t count, left_out;
} crl_entries;

static void
add_entry(const char *serial, int64_t revoked_unix_ns, void *user)
{
    crl_entries *entries = user;
    fc_crl_entry entry = {.serial_size = strlen(serial) / 2, .revoked_unix_s = revoked_unix_ns / FC_NS_PER_S};
    if (entry.serial_size == 0 || entry.serial_size > FC_CRL_SERIAL_MAX ||
        fc_hex_parse(serial, entry.serial, entry.serial_size) != FC_OK) {
        fc_log(FC_LOG_ERROR, "the revoked serial number '%s' is none: left out of the list", serial);
        return;
    }
    if (entries->count == CO_CRL_ENTRIES_MAX) {
        entries->left_out++;
        return;
    }
    entries->items = fc_grow_array(entries->items, entries->count + 1, sizeof entry);
    entries->items[entries->count++] = entry;
}

static fc_err
write_crl_file(const struct co *co, const fc_buf *pem, fc_fail *fail)
{
    const char *directory = co->config->state_dir;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fc_fail_errno(fail, errno, "cannot open the state directory %s", directory);
    fc_err err = fc_file_write_atomic(fd, "crl.pem", fc_buf_bytes(pem), fc_buf_size(pem), 0640, fail);
    (void)close(fd);
    return err;
}

fc_err
co_enrolment_write_crl(struct co *co, fc_fail *fail)
{
    fc_wall now = co_wall(co);
    crl_entries entries = {0};
    fc_buf pem = {0};
    fc_crl_spec spec = {
        .this_update_unix_s = now.ns / FC_NS_PER_S - CRL_SKEW_S,
        .next_update_unix_s = now.ns / FC_NS_PER_S + CO_CRL_LIFE_S,
    };
    fc_err err = co_enrolment_check_on(co, fail);
    if (err == FC_OK)
        err = co_store_each_revoked(co->store, now.ns - CERTIFICATE_KEPT_S * FC_NS_PER_S, add_entry, &entries,
                                    fail);
    if (err == FC_OK)
        err = co_store_next_crl(co->store, &spec.number, fail);
    if (err == FC_OK) {
        spec.entries = entries.items;
        spec.count = entries.count;
        err = fc_issuer_crl(co->enrolment.issuer, &spec, &pem, fail);
    }
    if (err == FC_OK)
        err = write_crl_file(co, &pem, fail);
    if (err == FC_OK) {
        co->counters.crl_left_out = entries.left_out;
        co->enrolment.crl_due = false;
        co->enrolment.crl_renewal.ns = now.ns + CO_CRL_LIFE_S / 2 * FC_NS_PER_S;
    }
    fc_buf_fini(&pem);
    free(entries.items);
    return err;
}

void
co_enrolment_renew_crl(struct co *co)
{
    fc_fail fail = {0};
    co->enrolment.crl_due = true;
    if (co->enrolment.issuer == NULL)
        return;
    if (co_enrolment_write_crl(co, &fail) != FC_OK) {
        co->counters.crl_failures++;
        fc_log(FC_LOG_ERROR, "the revocation list stays as it is: %s; it is tried again", fail.text);
    } else if (co->enrolment.crl_changed != NULL) {
        co->enrolment.crl_changed(co->enrolment.user);
    }
}

/* ---- certificates of connections ---- */

fc_err
co_enrolment_check_peer(struct co *co, const fc_principal *peer, fc_fail *fail)
{
    co_certificate_row known;
    bool removed = false;
    fc_err err = peer->serial[0] != '\0' ? co_store_get_certificate(co->store, peer->serial, &known, fail)
                                         : FC_ERR_NOT_FOUND;
    if (err == FC_OK && known.revoked_unix_ns > 0) {
        co->counters.hellos_removed++;
        return fc_fail_set(fail, FC_ERR_DENIED, "certificate %s of instance '%s' was revoked: enrol it anew",
                           peer->serial, peer->name);
    }
    if (err != FC_ERR_NOT_FOUND)
        return err;
    err = co_store_was_removed(co->store, peer->name, &removed, fail);
    if (err != FC_OK || !removed)
        return err;
    co->counters.hellos_removed++;
    return fc_fail_set(
        fail, FC_ERR_DENIED,
        "instance '%s' was removed from the fleet: enrol it anew (a certificate that this coordinator has "
        "not issued no longer counts)",
        peer->name);
}

static bool
known_or_waits(struct co *co, const char *serial)
{
    co_certificate_row known;
    const co_seen *seen = NULL;
    HASH_FIND_STR(co->enrolment.seen, serial, seen);
    return seen != NULL || co_store_get_certificate(co->store, serial, &known, NULL) != FC_ERR_NOT_FOUND;
}

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

void
co_enrolment_seen(struct co *co, const co_instance *instance, const fc_principal *peer)
{
    co_enrolment *e = &co->enrolment;
    if (peer->serial[0] == '\0' || known_or_waits(co, peer->serial))
        return;
    if (HASH_COUNT(e->seen) >= SEEN_MAX || e->counts.certificates >= CO_CERTIFICATES_MAX) {
        co->counters.certificates_unrecorded++;
        return;
    }
    co_seen *seen = FC_NEW(co_seen);
    COPY(seen->row.serial, peer->serial);
    COPY(seen->row.instance, instance->id);
    COPY(seen->row.scale_set, instance->scale_set);
    COPY(seen->row.region, instance->region);
    seen->row.issued_unix_ns = co_wall(co).ns;
    seen->row.not_after_unix_ns = peer->not_after.ns;
    HASH_ADD_STR(e->seen, row.serial, seen);
}

static fc_err
write_seen(struct co *co, void *user, fc_fail *fail)
{
    (void)user;
    fc_err err = FC_OK;
    for (const co_seen *seen = co->enrolment.seen; seen != NULL && err == FC_OK; seen = seen->hh.next)
        err = co_store_add_certificate(co->store, &seen->row, fail);
    return err;
}

static void
drop_seen(co_enrolment *e)
{
    co_seen *seen, *next;
    HASH_ITER (hh, e->seen, seen, next) {
        HASH_DEL(e->seen, seen);
        free(seen);
    }
}

fc_err
co_enrolment_flush_seen(struct co *co, fc_fail *fail)
{
    co_enrolment *e = &co->enrolment;
    if (e->seen == NULL)
        return FC_OK;
    fc_err err = co_persist_flush(co, write_seen, NULL, fail);
    if (err != FC_OK)
        return err;
    e->counts.certificates += HASH_COUNT(e->seen);
    drop_seen(e);
    return FC_OK;
}

/* ---- life ---- */

static fc_err
prune(struct co *co, void *user, fc_fail *fail)
{
    bool *more = user;
    int64_t now = co_wall(co).ns;
    co_enrolment_age age = {
        .tokens_unix_ns = now - KEPT_S * FC_NS_PER_S,
        .enrolments_unix_ns = now - KEPT_S * FC_NS_PER_S,
        .waiting_unix_ns = now - WAITING_S * FC_NS_PER_S,
        .certificates_unix_ns = now - CERTIFICATE_KEPT_S * FC_NS_PER_S,
        .removed_unix_ns = now - REMOVED_S * FC_NS_PER_S,
        .removed_max = CO_REMOVED_MAX,
        .rows_max = CO_ENROLMENT_PRUNE_ROWS,
    };
    return co_store_prune_enrolment(co->store, &age, more, fail);
}

/* A part of what is over, so that the loop is not held up; the next tick goes on with the rest. */
static void
prune_some(struct co *co)
{
    fc_fail fail = {0};
    bool more = false;
    fc_err err = co_persist_flush(co, prune, &more, &fail);
    co->enrolment.prune_due = more;
    if (err == FC_OK)
        err = co_store_count_enrolment(co->store, &co->enrolment.counts, &fail);
    if (err != FC_OK)
        fc_log(FC_LOG_ERROR, "what is over in enrolment stays for now: %s", fail.text);
}

static void
on_tick(fc_timer *timer)
{
    struct co *c = FC_CONTAINER(timer, struct co, enrolment.timer);
    co_enrolment *e = &c->enrolment;
    fc_fail fail = {0};
    if (co_enrolment_flush_seen(c, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "certificates seen are not stored yet: %s", fail.text);
    if (e->issuer != NULL && (e->crl_due || co_wall(c).ns > e->crl_renewal.ns))
        co_enrolment_renew_crl(c);
    if (++e->ticks % CO_ENROLMENT_PRUNE_TICKS == 0 || e->prune_due)
        prune_some(c);
    fc_loop_timer_after_ms(c->loop, timer, CO_ENROLMENT_TICK_MS);
}

fc_err
co_enrolment_open(struct co *co, fc_fail *fail)
{
    co->enrolment.timer.fire = on_tick;
    prune_some(co); /* also of one that never lives for an hour */
    fc_err err = co_store_count_enrolment(co->store, &co->enrolment.counts, fail);
    if (err != FC_OK)
        return err;
    co_instance_remove_resume(co);
    fc_loop_timer_after_ms(co->loop, &co->enrolment.timer, CO_ENROLMENT_TICK_MS);
    return FC_OK;
}

void
co_enrolment_close(struct co *co)
{
    fc_fail fail = {0};
    if (co_enrolment_flush_seen(co, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "certificates seen are not stored: %s", fail.text);
    fc_loop_timer_clear(co->loop, &co->enrolment.timer);
    drop_seen(&co->enrolment);
}
