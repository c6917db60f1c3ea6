/* Datagrams and TCP bytes of DNS: a piece is one byte of kind, one of time, two of length, and its bytes.
 * Every question is told of once, answered or not; names are printable; how a stream is cut does not matter.
 */
#include "common/analysis/dns.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_HEADER = 4, KIND_TCP = 4, KIND_ANSWER = 1, KIND_SERVER = 2 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct rig {
    fc_dns *dns;
    fc_dns_sighting at;
    size_t questions, told;
} rig;

static void
check(const fc_dns_transaction *transaction)
{
    if (transaction->asked_count == 0 || strlen(transaction->name) > FC_DNS_NAME_MAX)
        abort();
    for (const char *c = transaction->name; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            abort();
    }
    const char *suffix = fc_dns_suffix(transaction->name);
    if (suffix < transaction->name || suffix > transaction->name + strlen(transaction->name))
        abort();
}

static void
done(void *user, const fc_dns_transaction *transaction)
{
    rig *r = user;
    check(transaction);
    r->told += transaction->asked_count;
}

static void
note_open(void *user, const fc_dns_transaction *transaction)
{
    rig *r = user;
    check(transaction);
    r->told += transaction->asked_count;
}

static void
message_seen(void *user, const uint8_t *data, size_t size)
{
    rig *r = user;
    fc_dns_message message;
    if (fc_dns_parse(data, size, &message) != FC_OK)
        return;
    r->questions += !message.is_response;
    fc_dns_message_seen(r->dns, &message, &r->at);
}

static void
sum_message(void *user, const uint8_t *data, size_t size)
{
    uint64_t *sum = user;
    for (size_t i = 0; i < size; i++)
        *sum = *sum * 31 + data[i];
    *sum = *sum * 31 + size;
}

static void
check_stream(const uint8_t *data, size_t size)
{
    uint64_t whole = 0, bytewise = 0;
    fc_dns_stream a = {0}, b = {0};
    fc_dns_stream_push(&a, data, size, sum_message, &whole);
    for (size_t i = 0; i < size; i++)
        fc_dns_stream_push(&b, data + i, 1, sum_message, &bytewise);
    if (whole != bytewise)
        abort();
    fc_dns_stream_gap(&b, size, sum_message, &bytewise);
    fc_dns_stream_push(&b, data, size, sum_message, &bytewise);
}

static void
sight(rig *r, uint8_t kind, uint8_t time)
{
    const fc_address client = {.family = 4, .bytes = {10, 0, 0, 1}};
    const fc_address server = {.family = 4, .bytes = {10, 0, 0, kind & KIND_SERVER ? 54 : 53}};
    bool answer = (kind & KIND_ANSWER) != 0;
    r->at.source = answer ? server : client;
    r->at.destination = answer ? client : server;
    r->at.source_port = answer ? 53 : (uint16_t)(4000 + (kind >> 6));
    r->at.destination_port = answer ? (uint16_t)(4000 + (kind >> 6)) : 53;
    r->at.protocol = kind & KIND_TCP ? 6 : 17;
    r->at.unix_ns += (int64_t)(time & 0x7f) * (time & 0x80 ? 100000000 : 100000);
    r->at.frame++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rig r;
    if (r.dns == NULL)
        r.dns = fc_dns_new(done, &r);
    r = (rig){.dns = r.dns};
    check_stream(data, size);
    while (size >= PIECE_HEADER) {
        uint8_t kind = data[0];
        size_t length = (size_t)(data[2] << 8 | data[3]);
        sight(&r, kind, data[1]);
        data += PIECE_HEADER;
        size -= PIECE_HEADER;
        length = length < size ? length : size;
        fc_dns_stream stream = {0};
        if ((kind & KIND_TCP) != 0)
            fc_dns_stream_push(&stream, data, length, message_seen, &r);
        else
            message_seen(&r, data, length);
        data += length;
        size -= length;
    }
    fc_dns_each_open(r.dns, r.at.unix_ns, note_open, &r);
    if (r.told > r.questions)
        abort();
    /* The table is empty for the next input. */
    fc_dns_expire(r.dns, INT64_MAX);
    r.told = 0;
    fc_dns_each_open(r.dns, INT64_MAX, note_open, &r);
    if (r.told != 0)
        abort();
    return 0;
}
