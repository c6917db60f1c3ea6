#include "common/tls/index.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_FILE_MAX = 256 * 1024 * 1024 };

static const char index_file[] = "index.json";

static bool
take_name(const json_t *object, const char *key, char ret_name[FC_NAME_MAX + 1])
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || !fc_name_check(text))
        return false;
    strcpy(ret_name, text);
    return true;
}

/* The same of one that need not be there. */
static bool
take_binding(const json_t *object, const char *key, char ret_name[FC_NAME_MAX + 1])
{
    return json_object_get(object, key) == NULL || take_name(object, key, ret_name);
}

static bool
take_seconds(const json_t *object, const char *key, fc_wall *ret_wall)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > INT64_MAX / FC_NS_PER_S)
        return false;
    ret_wall->ns = json_integer_value(value) * FC_NS_PER_S;
    return true;
}

static bool
take_entry(const json_t *object, const char *fleet, fc_pki_entry *ret_entry)
{
    fc_pki_entry entry = {0};
    const char *role = json_string_value(json_object_get(object, "role"));
    const char *serial = json_string_value(json_object_get(object, "serial"));
    if (role == NULL || serial == NULL || strlen(serial) >= FC_SERIAL_TEXT_SIZE || strlen(serial) % 2 != 0 ||
        *serial == '\0' || strspn(serial, "0123456789abcdef") != strlen(serial))
        return false;
    strcpy(entry.principal.fleet, fleet);
    strcpy(entry.principal.serial, serial);
    entry.principal.role = fc_role_parse(role);
    if (entry.principal.role == FC_ROLE_NONE || !take_name(object, "name", entry.principal.name) ||
        !take_binding(object, "scaleSet", entry.principal.scale_set) ||
        !take_binding(object, "region", entry.principal.region) ||
        !take_seconds(object, "notBefore", &entry.not_before) ||
        !take_seconds(object, "notAfter", &entry.principal.not_after))
        return false;
    if (json_object_get(object, "revokedAt") != NULL) {
        entry.revoked = true;
        if (!take_seconds(object, "revokedAt", &entry.revoked_at))
            return false;
    }
    *ret_entry = entry;
    return true;
}

fc_err
fc_index_load(int dir_fd, fc_index *ret_index, fc_fail *fail)
{
    fc_index index = {0};
    fc_buf text = {0};
    json_error_t error;
    json_t *root = NULL;
    fc_err err = fc_file_read(dir_fd, index_file, INDEX_FILE_MAX, &text, fail);
    if (err != FC_OK)
        goto out;
    root = json_loadb((const char *)fc_buf_bytes(&text), fc_buf_size(&text), JSON_REJECT_DUPLICATES, &error);
    const json_t *issued = json_object_get(root, "issued");
    const json_t *number = json_object_get(root, "crlNumber");
    if (root == NULL || !take_name(root, "fleet", index.fleet) || !json_is_array(issued) ||
        !json_is_integer(number) || json_integer_value(number) < 0) {
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not the index of a PKI directory", index_file);
        goto out;
    }
    index.crl_number = (uint64_t)json_integer_value(number);
    index.entries = fc_alloc_array(json_array_size(issued) + 1, sizeof *index.entries);
    for (; index.count < json_array_size(issued); index.count++)
        if (!take_entry(json_array_get(issued, index.count), index.fleet, &index.entries[index.count])) {
            err = fc_fail_set(fail, FC_ERR_CORRUPT, "entry %zu of %s is not a certificate's", index.count,
                              index_file);
            goto out;
        }
    *ret_index = index;
    index.entries = NULL;
out:
    json_decref(root);
    free(index.entries);
    fc_buf_fini(&text);
    return err;
}

static json_t *
entry_json(const fc_pki_entry *entry)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "serial", entry->principal.serial, "role",
                               fc_role_name(entry->principal.role), "name", entry->principal.name,
                               "notBefore", (json_int_t)(entry->not_before.ns / FC_NS_PER_S), "notAfter",
                               (json_int_t)(entry->principal.not_after.ns / FC_NS_PER_S));
    if (*entry->principal.scale_set != '\0')
        json_object_set_new(object, "scaleSet", json_string(entry->principal.scale_set));
    if (*entry->principal.region != '\0')
        json_object_set_new(object, "region", json_string(entry->principal.region));
    if (entry->revoked)
        json_object_set_new(object, "revokedAt", json_integer(entry->revoked_at.ns / FC_NS_PER_S));
    return object;
}

fc_err
fc_index_save(int dir_fd, const fc_index *index, fc_fail *fail)
{
    json_t *issued = json_array();
    for (size_t i = 0; i < index->count; i++)
        json_array_append_new(issued, entry_json(&index->entries[i]));
    json_t *root = json_pack("{s:s, s:I, s:o}", "fleet", index->fleet, "crlNumber",
                             (json_int_t)index->crl_number, "issued", issued);
    char *text = json_dumps(root, JSON_INDENT(1));
    fc_err err = text == NULL ? fc_fail_set(fail, FC_ERR_INTERNAL, "cannot write %s as JSON", index_file)
                              : fc_file_write_atomic(dir_fd, index_file, text, strlen(text), 0600, fail);
    free(text);
    json_decref(root);
    return err;
}

void
fc_index_add(fc_index *index, const fc_pki_entry *entry)
{
    index->entries = fc_grow_array(index->entries, index->count + 1, sizeof *index->entries);
    index->entries[index->count++] = *entry;
}

void
fc_index_fini(fc_index *index)
{
    free(index->entries);
    memset(index, 0, sizeof *index);
}
