#include "common/analysis/tls_hello.h"

#include <string.h>

/* The fields of a hello in their order; the ones for lists are made of a length and its bytes. */
typedef enum hello_step {
    STEP_VERSION,
    STEP_RANDOM,
    STEP_SESSION_LENGTH,
    STEP_SESSION,
    STEP_SUITES_LENGTH, /* ServerHello: the one suite */
    STEP_SUITES,
    STEP_COMPRESSIONS_LENGTH, /* ServerHello: the one method */
    STEP_COMPRESSIONS,
    STEP_EXTENSIONS_LENGTH,
    STEP_EXTENSION_TYPE,
    STEP_EXTENSION_LENGTH,
    STEP_EXTENSION,
    STEP_END,
} hello_step;

typedef enum inner_step {
    INNER_LIST_LENGTH,
    INNER_NAME_TYPE,
    INNER_NAME_LENGTH,
    INNER_NAME,
    INNER_VERSION,
    INNER_SKIP,
} inner_step;

enum {
    RANDOM_SIZE = 32,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    EXTENSION_PRE_SHARED_KEY = 41,
    EXTENSION_SUPPORTED_VERSIONS = 43,
};

/* RFC 8446 section 4.1.3: SHA-256 of "HelloRetryRequest". */
static const uint8_t retry_random[RANDOM_SIZE] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

bool
fc_tls_is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* Drafts of TLS 1.3 are below it and above TLS 1.2. */
static bool
is_higher(uint16_t version, uint16_t than)
{
    bool draft = version >> 8 == 0x7f, draft_than = than >> 8 == 0x7f;
    if (draft == draft_than)
        return version > than;
    return draft ? than < 0x0304 : version >= 0x0304;
}

void
fc_tls_hello_init(fc_tls_hello *hello, bool from_server)
{
    *hello = (fc_tls_hello){.from_server = from_server, .left = 2};
}

uint16_t
fc_tls_hello_version(const fc_tls_hello *hello)
{
    return hello->version != 0 ? hello->version : hello->legacy_version;
}

/* Every step begins with the number of its bytes. */
static void
begin(fc_tls_hello *hello, hello_step step, size_t size)
{
    hello->step = (uint8_t)step;
    hello->left = (uint16_t)size;
    hello->number = 0;
}

static void
begin_inner(fc_tls_hello *hello, inner_step step, size_t size)
{
    hello->inner = (uint8_t)step;
    hello->inner_left = (uint16_t)size;
    hello->number = 0;
}

static void
begin_extension(fc_tls_hello *hello, uint16_t size)
{
    begin(hello, STEP_EXTENSION, size);
    begin_inner(hello, INNER_SKIP, 0);
    switch (hello->extension_type) {
    case EXTENSION_SERVER_NAME: /* a server's is empty */
        if (!hello->from_server)
            begin_inner(hello, INNER_LIST_LENGTH, 2);
        break;
    case EXTENSION_ALPN:
        begin_inner(hello, INNER_LIST_LENGTH, 2);
        hello->has_alpn = true;
        break;
    case EXTENSION_SUPPORTED_VERSIONS:
        begin_inner(hello, hello->from_server ? INNER_VERSION : INNER_LIST_LENGTH,
                    hello->from_server ? 2 : 1);
        break;
    case EXTENSION_PRE_SHARED_KEY:
        hello->has_psk = true;
        break;
    default:
        break;
    }
}

/* The name that is being read, cut at the summary's size; ALPN and SNI alike. */
static void
put_name_byte(fc_tls_hello *hello, uint8_t byte, fc_tls_summary *summary)
{
    bool alpn = hello->extension_type == EXTENSION_ALPN;
    char *name = alpn ? summary->alpn : summary->server_name;
    size_t max = alpn ? FC_TLS_ALPN_MAX : FC_TLS_NAME_MAX;
    if (hello->name_size >= max)
        return;
    if (byte >= 'A' && byte <= 'Z' && !alpn)
        byte = (uint8_t)(byte - 'A' + 'a');
    name[hello->name_size++] = byte > ' ' && byte < 0x7f ? (char)byte : '?';
    name[hello->name_size] = '\0';
}

/* A number inside an extension is complete. */
static void
inner_number_read(fc_tls_hello *hello)
{
    switch ((inner_step)hello->inner) {
    case INNER_LIST_LENGTH:
        if (hello->extension_type == EXTENSION_SERVER_NAME)
            begin_inner(hello, INNER_NAME_TYPE, 1);
        else if (hello->extension_type == EXTENSION_ALPN)
            begin_inner(hello, INNER_NAME_LENGTH, 1);
        else
            begin_inner(hello, INNER_VERSION, 2);
        break;
    case INNER_NAME_TYPE: /* 0 = host_name, the only one there is */
        begin_inner(hello, hello->number == 0 ? INNER_NAME_LENGTH : INNER_SKIP, hello->number == 0 ? 2 : 0);
        break;
    case INNER_NAME_LENGTH:
        begin_inner(hello, hello->number > 0 ? INNER_NAME : INNER_SKIP, hello->number);
        hello->name_size = 0;
        break;
    case INNER_VERSION:
        if (!fc_tls_is_grease(hello->number) && is_higher(hello->number, hello->version))
            hello->version = hello->number;
        begin_inner(hello, hello->from_server ? INNER_SKIP : INNER_VERSION, hello->from_server ? 0 : 2);
        break;
    case INNER_NAME:
    case INNER_SKIP:
        break;
    }
}

static bool
is_grease_name(const fc_tls_summary *summary)
{
    /* Both its bytes are unprintable (RFC 8701 section 2). */
    return strcmp(summary->alpn, "??") == 0;
}

static void
extension_byte(fc_tls_hello *hello, uint8_t byte, fc_tls_summary *summary)
{
    if (hello->inner == INNER_SKIP)
        return;
    hello->inner_left--;
    if (hello->inner == INNER_NAME) {
        put_name_byte(hello, byte, summary);
        if (hello->inner_left > 0)
            return;
        bool again = hello->extension_type == EXTENSION_ALPN && is_grease_name(summary);
        if (again)
            summary->alpn[0] = '\0';
        begin_inner(hello, again ? INNER_NAME_LENGTH : INNER_SKIP, again ? 1 : 0);
        return;
    }
    hello->number = (uint16_t)(hello->number << 8 | byte);
    if (hello->inner_left == 0)
        inner_number_read(hello);
}

/* A field of the hello is complete: what comes next. */
static void
step_done(fc_tls_hello *hello)
{
    uint16_t number = hello->number;
    switch ((hello_step)hello->step) {
    case STEP_VERSION:
        hello->legacy_version = number;
        begin(hello, STEP_RANDOM, RANDOM_SIZE);
        break;
    case STEP_RANDOM:
        hello->random_read = true;
        hello->is_retry = hello->from_server && !hello->random_differs;
        begin(hello, STEP_SESSION_LENGTH, 1);
        break;
    case STEP_SESSION_LENGTH:
        begin(hello, STEP_SESSION, number);
        break;
    case STEP_SESSION:
        begin(hello, STEP_SUITES_LENGTH, 2);
        break;
    case STEP_SUITES_LENGTH:
        if (hello->from_server)
            hello->suite = number;
        begin(hello, STEP_SUITES, hello->from_server ? 0 : number);
        break;
    case STEP_SUITES:
        begin(hello, STEP_COMPRESSIONS_LENGTH, 1);
        break;
    case STEP_COMPRESSIONS_LENGTH:
        begin(hello, STEP_COMPRESSIONS, hello->from_server ? 0 : number);
        break;
    case STEP_COMPRESSIONS:
        begin(hello, STEP_EXTENSIONS_LENGTH, 2);
        break;
    case STEP_EXTENSIONS_LENGTH:
        hello->extensions_left = number;
        begin(hello, STEP_EXTENSION_TYPE, 2);
        break;
    case STEP_EXTENSION_TYPE:
        hello->extension_type = number;
        begin(hello, STEP_EXTENSION_LENGTH, 2);
        break;
    case STEP_EXTENSION_LENGTH:
        begin_extension(hello, number);
        break;
    case STEP_EXTENSION:
        begin(hello, STEP_EXTENSION_TYPE, 2);
        break;
    case STEP_END:
        break;
    }
}

static bool
in_extensions(const fc_tls_hello *hello)
{
    return hello->step >= STEP_EXTENSION_TYPE && hello->step <= STEP_EXTENSION;
}

void
fc_tls_hello_push(fc_tls_hello *hello, const uint8_t *data, size_t size, fc_tls_summary *summary)
{
    for (size_t i = 0; i < size && hello->step != STEP_END; i++) {
        if (in_extensions(hello) && hello->extensions_left-- == 0) {
            hello->step = STEP_END;
            break;
        }
        if (hello->step == STEP_RANDOM && data[i] != retry_random[RANDOM_SIZE - hello->left])
            hello->random_differs = true;
        if (hello->step == STEP_EXTENSION)
            extension_byte(hello, data[i], summary);
        else
            hello->number = (uint16_t)(hello->number << 8 | data[i]);
        hello->left--;
        /* A list may be empty: then its step is over at once. */
        while (hello->left == 0 && hello->step != STEP_END)
            step_done(hello);
    }
}
