#include "common/tls/tickets.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/tls/compat.h"
#include "common/tls/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DAY_S = 24 * 60 * 60,
    NAME_SIZE = 8,
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    KEY_SIZE = 32,
    KEYS_MAX = FC_TICKETS_KEY_DAYS / FC_TICKETS_ROTATE_DAYS + 1,
    FILE_MAX = 64 * 1024,
};

static const char file_heading[] = "fleetcap session ticket keys 1\n";

typedef struct ticket_key {
    int64_t made_unix_s;
    uint8_t name[NAME_SIZE];
    uint8_t key[KEY_SIZE];
} ticket_key;

struct fc_tickets {
    char *path;                /* owned; NULL = in memory only */
    pthread_mutex_t mutex;     /* guards what follows */
    ticket_key keys[KEYS_MAX]; /* newest first */
    size_t count;
};

uint32_t
fc_tickets_lifetime_s(void)
{
    return (FC_TICKETS_KEY_DAYS - FC_TICKETS_ROTATE_DAYS) * DAY_S;
}

static fc_err
save(const fc_tickets *tickets, fc_fail *fail)
{
    if (tickets->path == NULL)
        return FC_OK;
    fc_buf text = {0};
    /* Reserved at once, so that no copy of the keys stays behind in a freed block. */
    (void)fc_buf_reserve(&text, FILE_MAX);
    fc_buf_printf(&text, "%s", file_heading);
    for (size_t i = 0; i < tickets->count; i++) {
        char name[FC_HEX_SIZE(NAME_SIZE)];
        char key[FC_HEX_SIZE(KEY_SIZE)];
        fc_hex_text(tickets->keys[i].name, NAME_SIZE, name);
        fc_hex_text(tickets->keys[i].key, KEY_SIZE, key);
        fc_buf_printf(&text, "%" PRId64 " %s %s\n", tickets->keys[i].made_unix_s, name, key);
        mbedtls_platform_zeroize(key, sizeof key);
    }
    fc_err err =
        fc_file_write_atomic(AT_FDCWD, tickets->path, fc_buf_bytes(&text), fc_buf_size(&text), 0600, fail);
    fc_secret_fini(&text);
    return err;
}

/* One line: made (Unix seconds), name, key. */
static fc_err
parse_key(char *line, ticket_key *ret_key)
{
    char *rest = line;
    const char *made = strsep(&rest, " ");
    const char *name = strsep(&rest, " ");
    uint64_t made_unix_s;
    if (name == NULL || rest == NULL || fc_u64_parse(made, INT64_MAX, &made_unix_s) != FC_OK ||
        fc_hex_parse(name, ret_key->name, NAME_SIZE) != FC_OK ||
        fc_hex_parse(rest, ret_key->key, KEY_SIZE) != FC_OK)
        return FC_ERR_CORRUPT;
    ret_key->made_unix_s = (int64_t)made_unix_s;
    return FC_OK;
}

static fc_err
load(fc_tickets *tickets, fc_fail *fail)
{
    fc_buf text = {0};
    fc_err err = fc_secret_read(tickets->path, FILE_MAX, &text, fail);
    if (err != FC_OK)
        goto out;
    (void)fc_buf_text(&text);
    char *rest = (char *)text.data + text.start;
    if (strncmp(rest, file_heading, sizeof file_heading - 1) != 0) {
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not a file of session ticket keys", tickets->path);
        goto out;
    }
    rest += sizeof file_heading - 1;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0' && tickets->count < KEYS_MAX;) {
        err = parse_key(line, &tickets->keys[tickets->count]);
        if (err != FC_OK) {
            err = fc_fail_set(fail, err, "%s has a line that is not a session ticket key", tickets->path);
            goto out;
        }
        tickets->count++;
    }
out:
    fc_secret_fini(&text);
    return err;
}

/* Drops keys that are past their days; makes a new one when the newest is a day old, or of the future (the
 * clock was set back). Returns whether anything changed. */
static bool
rotate(fc_tickets *tickets, int64_t now_unix_s)
{
    size_t before = tickets->count;
    while (tickets->count > 0 && now_unix_s - tickets->keys[tickets->count - 1].made_unix_s >=
                                     (int64_t)FC_TICKETS_KEY_DAYS * DAY_S) {
        tickets->count--;
        mbedtls_platform_zeroize(&tickets->keys[tickets->count], sizeof tickets->keys[0]);
    }
    if (tickets->count > 0) {
        int64_t age_s = now_unix_s - tickets->keys[0].made_unix_s;
        if (age_s >= 0 && age_s < (int64_t)FC_TICKETS_ROTATE_DAYS * DAY_S)
            return tickets->count != before;
    }
    if (tickets->count == KEYS_MAX)
        tickets->count--;
    memmove(&tickets->keys[1], &tickets->keys[0], tickets->count * sizeof tickets->keys[0]);
    tickets->keys[0].made_unix_s = now_unix_s;
    (void)fc_compat_random(NULL, tickets->keys[0].name, NAME_SIZE);
    (void)fc_compat_random(NULL, tickets->keys[0].key, KEY_SIZE);
    tickets->count++;
    return true;
}

fc_err
fc_tickets_new(const char *path, fc_tickets **ret_tickets, fc_fail *fail)
{
    fc_tickets *tickets = FC_NEW(fc_tickets);
    tickets->path = fc_strdup(path);
    pthread_mutex_init(&tickets->mutex, NULL);
    fc_err err = FC_OK;
    if (path != NULL) {
        fc_fail why = {0};
        err = load(tickets, &why);
        if (err == FC_ERR_NOT_FOUND)
            err = FC_OK;
        else if (err != FC_OK)
            (void)fc_fail_copy(fail, &why);
    }
    if (err == FC_OK && rotate(tickets, time(NULL)))
        err = save(tickets, fail);
    if (err == FC_OK)
        *ret_tickets = tickets;
    else
        fc_tickets_free(tickets);
    return err;
}

void
fc_tickets_free(fc_tickets *tickets)
{
    if (tickets == NULL)
        return;
    pthread_mutex_destroy(&tickets->mutex);
    free(tickets->path);
    mbedtls_platform_zeroize(tickets, sizeof *tickets);
    free(tickets);
}

static int
gcm_init(mbedtls_gcm_context *gcm, const ticket_key *key)
{
    mbedtls_gcm_init(gcm);
    return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key->key, KEY_SIZE * 8);
}

fc_err
fc_tickets_seal(fc_tickets *tickets, const uint8_t context[32], const uint8_t *plain, size_t size,
                uint8_t *out, size_t capacity, size_t *ret_size)
{
    if (capacity < FC_TICKETS_OVERHEAD || capacity - FC_TICKETS_OVERHEAD < size)
        return FC_ERR_LIMIT;
    pthread_mutex_lock(&tickets->mutex);
    /* A day's key that could not be written still seals: after a restart its tickets cost a full handshake.
     */
    if (rotate(tickets, time(NULL))) {
        fc_err saved = save(tickets, NULL);
        (void)saved;
    }
    ticket_key key = tickets->keys[0];
    pthread_mutex_unlock(&tickets->mutex);

    uint8_t *nonce = out + NAME_SIZE;
    uint8_t *cipher = nonce + NONCE_SIZE;
    memcpy(out, key.name, NAME_SIZE);
    (void)fc_compat_random(NULL, nonce, NONCE_SIZE);
    mbedtls_gcm_context gcm;
    int status = gcm_init(&gcm, &key);
    if (status == 0)
        status = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, size, nonce, NONCE_SIZE, context, 32,
                                           plain, cipher, TAG_SIZE, cipher + size);
    mbedtls_gcm_free(&gcm);
    mbedtls_platform_zeroize(&key, sizeof key);
    if (status != 0)
        return FC_ERR_INTERNAL;
    *ret_size = size + FC_TICKETS_OVERHEAD;
    return FC_OK;
}

static bool
find_key(fc_tickets *tickets, const uint8_t name[NAME_SIZE], ticket_key *ret_key)
{
    bool found = false;
    pthread_mutex_lock(&tickets->mutex);
    int64_t now_unix_s = time(NULL);
    for (size_t i = 0; i < tickets->count && !found; i++) {
        found = memcmp(tickets->keys[i].name, name, NAME_SIZE) == 0 &&
                now_unix_s - tickets->keys[i].made_unix_s < (int64_t)FC_TICKETS_KEY_DAYS * DAY_S;
        if (found)
            *ret_key = tickets->keys[i];
    }
    pthread_mutex_unlock(&tickets->mutex);
    return found;
}

fc_err
fc_tickets_open(fc_tickets *tickets, const uint8_t context[32], const uint8_t *ticket, size_t size,
                uint8_t *out, size_t *ret_size)
{
    ticket_key key;
    if (size < FC_TICKETS_OVERHEAD)
        return FC_ERR_CORRUPT;
    if (!find_key(tickets, ticket, &key))
        return FC_ERR_NOT_FOUND;
    const uint8_t *nonce = ticket + NAME_SIZE;
    const uint8_t *cipher = nonce + NONCE_SIZE;
    size_t plain_size = size - FC_TICKETS_OVERHEAD;
    mbedtls_gcm_context gcm;
    int status = gcm_init(&gcm, &key);
    if (status == 0)
        status = mbedtls_gcm_auth_decrypt(&gcm, plain_size, nonce, NONCE_SIZE, context, 32,
                                          cipher + plain_size, TAG_SIZE, cipher, out);
    mbedtls_gcm_free(&gcm);
    mbedtls_platform_zeroize(&key, sizeof key);
    if (status != 0)
        return FC_ERR_CORRUPT;
    *ret_size = plain_size;
    return FC_OK;
}
